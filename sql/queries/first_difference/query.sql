-- Where do two runs diverge? For each cell, measure and stage, the first step and block that differ beyond rounding.
--
-- Compares the same images of both runs (prompt, noise and size) in the order in which the model computes: by step, then
-- by block. If one of the runs recorded no steps, means over steps are compared, and only the first block is found. If
-- nothing differs, there is no row. Instability counts signs, which rounding can flip, so its tolerance is ten times as
-- large. A value that is finite in only one run is a difference. So are NaN and an infinity, or infinities of different
-- sign.
WITH
-- none without a second run: then nothing else is read
compared AS (
    SELECT unnest([n.run_id, b.run_id]) AS run_id FROM newest_run AS n CROSS JOIN earlier_run AS b
),
of_both AS (SELECT stability.* FROM stability SEMI JOIN compared USING (run_id)),
kept AS (
    SELECT
        run_id, cell, pair_id, branch, block, block_name, stage, step,
        COLUMNS(lambda name: list_contains(recorded_columns(), name))
    FROM steps_of('of_both')
    UNION ALL
    SELECT
        run_id, cell, pair_id, branch, block, block_name, stage, NULL,
        COLUMNS(lambda name: list_contains(recorded_columns(), name))
    FROM of_both
),
long AS MATERIALIZED (
    UNPIVOT kept
    ON COLUMNS(lambda name: list_contains(recorded_columns(), name))
    INTO NAME measure VALUE value
),
-- means, whose step is NULL, join as -1
sides AS (
    SELECT *, coalesce(step, -1) AS place FROM long
),
sizes AS (
    SELECT cell, measure, block, place < 0 AS of_means, sqrt(avg(value::DOUBLE ** 2) FILTER (isfinite(value))) AS size
    FROM sides WHERE run_id IN (FROM earlier_run) GROUP BY ALL
),
pairs AS MATERIALIZED (
    SELECT
        now.run_id, was.run_id AS against, cell, measure, block, now.block_name, now.stage, now.step, place,
        was.value::DOUBLE AS before, now.value::DOUBLE AS value
    FROM sides AS now JOIN sides AS was USING (cell, measure, block, branch, pair_id, place)
    WHERE now.run_id IN (FROM newest_run) AND was.run_id IN (FROM earlier_run)
),
by_step AS (
    SELECT DISTINCT cell, measure, block FROM pairs WHERE place >= 0
),
-- NaN is equal to NaN in SQL, and each infinity to itself
differ AS (
    SELECT p.*, abs(value - before) AS difference
    FROM pairs AS p
    JOIN sizes AS s ON s.cell = p.cell AND s.measure = p.measure AND s.block = p.block AND s.of_means = (p.place < 0)
    LEFT JOIN by_step AS b ON b.cell = p.cell AND b.measure = p.measure AND b.block = p.block
    WHERE (p.place >= 0 OR b.block IS NULL) AND value <> before
        AND CASE WHEN isfinite(value) AND isfinite(before) THEN abs(value - before)
            > coalesce(getvariable('tolerance')::DOUBLE, 1e-3) * CASE WHEN counts_signs(p.measure) THEN 10 ELSE 1 END
            * greatest(abs(value), abs(before), coalesce(size, 0))
            ELSE true END
),
counted AS (
    SELECT
        run_id, against, cell, stage, measure, step, place, block, block_name, count(*) AS n, max(difference) AS largest
    FROM differ GROUP BY ALL
)
SELECT * EXCLUDE (place) FROM counted
QUALIFY row_number() OVER (PARTITION BY cell, stage, measure ORDER BY place, block) = 1
ORDER BY cell, measure, block;
