-- How many images of each cell score above the median of the run? Their share by cell.
--
-- The median is over the images of all cells. Images that failed or have no score are left out.
WITH
asked AS (
    SELECT run_id, metric FROM metrics WHERE kind = 'sample' AND metric = getvariable('metric')::VARCHAR
    UNION ALL
    SELECT run_id, metric FROM main_metrics WHERE role = 'fidelity' AND getvariable('metric')::VARCHAR IS NULL
),
valued AS (
    SELECT v.run_id, v.cell, v.metric, v.value > median(v.value) OVER (PARTITION BY v.run_id, v.metric) AS above
    FROM unit_values AS v JOIN asked ON asked.run_id = v.run_id AND asked.metric = v.metric
    WHERE v.kind = 'sample'
),
shares AS (
    SELECT run_id, cell, metric, avg(above::INTEGER) AS share, count(*) AS n FROM valued GROUP BY ALL
)
SELECT s.run_id, s.cell, s.metric, s.share, i.low, i.high, i.method, s.n
FROM shares AS s
JOIN cells AS c ON c.run_id = s.run_id AND c.cell = s.cell
LEFT JOIN intervals AS i
    ON i.query = 'above_median' AND i.statistic = 'share' AND i.run_id = s.run_id AND i.cell = s.cell
    AND i.metric = s.metric AND i.n = s.n
ORDER BY s.run_id, c.position;
