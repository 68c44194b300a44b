-- How fast is generation, and how much memory does it take? Seconds and peak memory per image, by cell and device.
--
-- seconds is the time of a batch divided by its size. If another cell computed some of the model's calls, it is scaled to
-- all calls. slowdown is relative to the run's baseline cell on the same device.
WITH whole AS (
    SELECT * REPLACE (seconds / nullif(1 - coalesce(shared_calls, 0), 0) AS seconds) FROM samples
),
timed AS (
    SELECT
        run_id, cell, device, dtype, width, height, steps,
        avg(seconds) AS seconds, median(seconds) AS median_seconds, min(seconds) AS min_seconds,
        avg(coalesce(shared_calls, 0)) AS shared_calls, max(peak_memory) AS peak_memory, count(*) AS n
    FROM whole
    WHERE seconds IS NOT NULL
    GROUP BY ALL
)
SELECT
    t.run_id, t.cell, t.device, t.dtype, t.width, t.height, t.steps, t.seconds, t.median_seconds, t.min_seconds,
    60 / nullif(t.seconds, 0) AS images_per_minute,
    t.seconds / nullif(base.seconds, 0) AS slowdown,
    t.shared_calls, t.peak_memory, t.n
FROM timed AS t
JOIN runs USING (run_id)
JOIN cells AS c ON c.run_id = t.run_id AND c.cell = t.cell
LEFT JOIN timed AS base
    ON base.run_id = t.run_id AND base.cell = runs.baseline AND base.device IS NOT DISTINCT FROM t.device
    AND base.dtype = t.dtype AND base.width IS NOT DISTINCT FROM t.width AND base.height IS NOT DISTINCT FROM t.height
    AND base.steps = t.steps
ORDER BY t.run_id, c.position, t.device;
