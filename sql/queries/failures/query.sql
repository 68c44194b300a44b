-- Which samples failed, and why? Samples of each cell by status and reason.
SELECT
    c.run_id, c.cell, s.status, s.reason,
    count(s.sample_id) AS samples,
    count(s.sample_id) / nullif(sum(count(s.sample_id)) OVER (PARTITION BY c.run_id, c.cell), 0) AS share,
    count(DISTINCT s.prompt_id) AS prompts,
    min(s.sample_id) AS example
FROM cells AS c LEFT JOIN samples AS s ON s.run_id = c.run_id AND s.cell = c.cell
GROUP BY c.run_id, c.cell, c.position, s.status, s.reason
ORDER BY c.run_id, c.position, s.status <> 'ok', samples DESC, s.status, s.reason;
