-- What does each knob setting cost and gain? The mean of each metric by cell, a point of the operating curve.
--
-- Means are over scored samples with status ok. Each row also counts unusable samples and has worst_case, the mean if each
-- unusable sample counts as the worst value of the metric in the run. So a knob that destroys images does not look better.
-- Metrics of whole cells use one reference, which the view cell_values names. Metrics without a value in the run are not
-- listed; see the table missing_metrics.
WITH
counts AS (
    SELECT
        run_id, cell, count(samples.sample_id) AS samples,
        count(*) FILTER (status = 'failed') AS failed,
        count(*) FILTER (status = 'blank') AS blank,
        count(*) FILTER (status = 'nonfinite') AS nonfinite
    FROM cells LEFT JOIN samples USING (run_id, cell)
    GROUP BY ALL
),
unusable AS (
    SELECT run_id, cell, prompt_id, count(*) FILTER (status <> 'ok') AS unusable FROM samples GROUP BY ALL
),
had AS (
    SELECT run_id, cell, prompt_id, metric, 'sample' AS kind, sum(value) AS total, count(*) AS n
    FROM metric_values WHERE status = 'ok' AND isfinite(value)
    GROUP BY ALL
    UNION ALL
    SELECT run_id, cell, prompt_id, metric, 'prompt', value, 1 FROM prompt_metric_values WHERE isfinite(value)
),
known AS MATERIALIZED (FROM metrics),
-- sum and n by prompt; unusable: values that are missing because samples failed
by_prompt AS (
    SELECT
        unusable.run_id, unusable.cell, unusable.prompt_id, known.metric, known.kind,
        coalesce(had.total, 0) AS total, coalesce(had.n, 0) AS n,
        CASE known.kind WHEN 'sample' THEN unusable.unusable ELSE (unusable.unusable > 0 AND had.n IS NULL)::INTEGER END AS unusable
    FROM unusable
    JOIN known ON known.run_id = unusable.run_id AND known.kind <> 'cell'
    LEFT JOIN had
        ON had.run_id = unusable.run_id AND had.cell = unusable.cell AND had.prompt_id = unusable.prompt_id
        AND had.metric = known.metric AND had.kind = known.kind
),
with_mean AS (
    SELECT *, sum(total) OVER by_cell / nullif(sum(n) OVER by_cell, 0) AS mean
    FROM by_prompt
    WINDOW by_cell AS (PARTITION BY run_id, cell, metric, kind)
),
-- the mean's standard error from the prompts' sums of residuals (Liang-Zeger, with the factor G / (G - 1))
means AS (
    SELECT
        run_id, cell, metric, kind, any_value(mean) AS mean, sum(n)::BIGINT AS n, sum(unusable)::BIGINT AS unusable,
        clustered_error(total - n * mean, count(*) FILTER (n > 0)) / nullif(sum(n), 0) AS error
    FROM with_mean
    GROUP BY ALL
    UNION ALL
    SELECT run_id, cell, metric, 'cell', value, n, 0, NULL FROM cell_values
)
SELECT
    m.run_id, m.cell, c.position::INTEGER AS position, c.knob, c.settings, m.metric, m.kind, k.higher_is_better,
    m.mean,
    coalesce(i.low, m.mean - z95() * m.error) AS low,
    coalesce(i.high, m.mean + z95() * m.error) AS high,
    coalesce(i.method, CASE WHEN m.error IS NOT NULL THEN normal_method() END) AS method,
    m.n, t.samples, t.failed, t.blank, t.nonfinite,
    CASE WHEN m.kind <> 'cell'
        THEN (coalesce(m.mean * m.n, 0) + k.worst * m.unusable) / nullif(m.n + m.unusable, 0) END AS worst_case
FROM means AS m
JOIN cells AS c USING (run_id, cell)
JOIN counts AS t USING (run_id, cell)
JOIN known AS k USING (run_id, metric, kind)
LEFT JOIN intervals AS i
    ON i.query = 'operating_curve' AND i.statistic = 'mean' AND i.run_id = m.run_id AND i.cell = m.cell
    AND i.metric = m.metric AND i.n = m.n AND m.kind <> 'cell'
ORDER BY m.run_id, c.position, m.kind DESC, m.metric;
