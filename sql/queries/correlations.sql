-- Does stability go with quality? Spearman correlation of each measure with each metric, by stage.
--
-- Image metrics are correlated over samples, metrics of a prompt's pictures (diversity) over prompts, each against the
-- prompt's mean measure. Samples that are not ok, NULL and non-finite values drop out of their own pair alone; n says so.
-- Ties get average ranks, as in scipy.stats.spearmanr.
--
-- parameter cell: which cell; default: the run's baseline (every cell where there is none); '*': each cell
-- parameter branch: cond or uncond; default: the session's, else the mean of both
--
-- Columns: run_id, cell, metric, kind (sample, prompt), stage (down, mid, up, all), measure (neg_energy: -E,
-- instability: r, alignment: Align, symmetry: eta), rho (NULL where one side is constant), n (samples or prompts),
-- low, high (bootstrap clustered by prompt, where the run was analysed), method.
-- Source: Cho, Han, Jin (arXiv 2605.27476), Table 1; eta is not in it.
WITH
chosen AS (
    SELECT run_id, cell
    FROM cells JOIN runs USING (run_id)
    WHERE CASE
        WHEN getvariable('cell')::VARCHAR IS NOT NULL THEN getvariable('cell')::VARCHAR IN ('*', cell)
        ELSE runs.baseline IS NULL OR cell = runs.baseline
    END
),
sample_measures AS (
    SELECT
        run_id, cell, stability.prompt_id, sample_id, stage,
        -energy AS neg_energy, instability, alignment, symmetry
    FROM stage_stability AS stability
    SEMI JOIN chosen USING (run_id, cell)
    SEMI JOIN (SELECT run_id, sample_id FROM samples WHERE status = 'ok') USING (run_id, sample_id)
),
long_measures AS (
    UNPIVOT sample_measures ON neg_energy, instability, alignment, symmetry INTO NAME measure VALUE x
),
finite_measures AS MATERIALIZED (FROM long_measures WHERE isfinite(x)),
prompt_measures AS (
    SELECT run_id, cell, prompt_id, stage, measure, avg(x) AS x FROM finite_measures GROUP BY ALL
),
pairs AS (
    SELECT run_id, m.cell, v.metric, 'sample' AS kind, m.stage, m.measure, m.x, v.value AS y
    FROM finite_measures AS m JOIN metric_values AS v USING (run_id, sample_id)
    WHERE isfinite(v.value)
    UNION ALL
    SELECT run_id, cell, v.metric, 'prompt', m.stage, m.measure, m.x, v.value
    FROM prompt_measures AS m JOIN prompt_metric_values AS v USING (run_id, cell, prompt_id)
    WHERE isfinite(v.value)
),
-- rank() is the first place among equals, the running count is the last: their mean is the average rank
ranked AS (
    SELECT
        run_id, cell, metric, kind, stage, measure,
        (rank() OVER by_x + count(*) OVER by_x) / 2 AS rank_x,
        (rank() OVER by_y + count(*) OVER by_y) / 2 AS rank_y
    FROM pairs
    WINDOW
        by_x AS (PARTITION BY run_id, cell, metric, kind, stage, measure ORDER BY x),
        by_y AS (PARTITION BY run_id, cell, metric, kind, stage, measure ORDER BY y)
),
correlated AS (
    SELECT
        run_id, cell, metric, kind, stage, measure,
        CASE WHEN isfinite(corr(rank_x, rank_y)) THEN corr(rank_x, rank_y) END AS rho,
        count(*) AS n
    FROM ranked
    GROUP BY ALL
)
SELECT c.run_id, c.cell, c.metric, c.kind, c.stage, c.measure, c.rho, c.n, i.low, i.high, i.method
FROM correlated AS c
LEFT JOIN intervals AS i
    ON i.query = 'correlations' AND i.statistic = 'rho' AND i.run_id = c.run_id AND i.cell = c.cell
    AND i.metric = c.metric AND i.stage = c.stage AND i.measure = c.measure
    AND i.n = c.n AND abs(i.value - c.rho) < 1e-9
ORDER BY
    c.run_id, c.cell, c.kind DESC, c.metric,
    list_position(['down', 'mid', 'up', 'all'], c.stage),
    list_position(['neg_energy', 'instability', 'alignment', 'symmetry'], c.measure);
