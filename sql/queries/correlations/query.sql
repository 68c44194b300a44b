-- Does stability correlate with quality? Spearman correlation of each measure with each metric, by stage.
--
-- Image metrics are correlated over samples, metrics of a prompt's images (diversity) over prompts, each against the
-- prompt's mean measure. Failed samples, NULL and non-finite values are left out pair by pair; n counts the rest.
-- Ties get average ranks, as in scipy.stats.spearmanr.
WITH
chosen AS (
    SELECT run_id, cell
    FROM cells JOIN runs USING (run_id)
    WHERE CASE
        WHEN getvariable('cell')::VARCHAR IS NOT NULL THEN getvariable('cell')::VARCHAR IN ('*', cell)
        ELSE runs.baseline IS NULL OR cell = runs.baseline
    END
),
of_chosen AS (
    SELECT stability.* FROM stability
    SEMI JOIN chosen AS named USING (cell)  -- with one column the join filters the scan of the files too
    SEMI JOIN chosen USING (run_id, cell)
),
scores_of_chosen AS (
    SELECT all_scores.* FROM all_scores
    SEMI JOIN chosen AS named USING (cell)
    SEMI JOIN chosen USING (run_id, cell)
),
ok AS (SELECT run_id, sample_id FROM samples WHERE status = 'ok'),
sample_measures AS (
    FROM stages_of('of_chosen')
    SEMI JOIN ok USING (run_id, sample_id)
),
finite_measures AS MATERIALIZED (
    SELECT run_id, cell, prompt_id, sample_id, stage, measure, value AS x
    FROM long_measures('sample_measures') WHERE isfinite(value)
),
-- the columns of each kind: x is a measure of a stage, y a metric; a unit is a sample or a prompt
xs AS MATERIALIZED (
    SELECT run_id, cell, 'sample' AS kind, sample_id AS unit, stage, measure, x FROM finite_measures
    UNION ALL
    SELECT run_id, cell, 'prompt', prompt_id, stage, measure, avg(x) FROM finite_measures GROUP BY ALL
),
ys AS MATERIALIZED (
    SELECT run_id, cell, 'sample' AS kind, sample_id AS unit, metric, value AS y
    FROM newest_scores('scores_of_chosen') SEMI JOIN ok USING (run_id, sample_id) WHERE isfinite(value)
    UNION ALL
    SELECT run_id, v.cell, 'prompt', v.prompt_id, v.metric, v.value
    FROM prompt_metric_values AS v SEMI JOIN chosen USING (run_id, cell) WHERE isfinite(v.value)
),
-- A column has the same ranks beside all columns of the other side that have values for the same units. So it is ranked
-- once for each such set of units (as a rule there is one), not for each pair.
x_columns AS MATERIALIZED (
    SELECT run_id, cell, kind, stage, measure, unit_set(unit) AS units, row_number() OVER () AS x_id FROM xs GROUP BY ALL
),
y_columns AS MATERIALIZED (
    SELECT run_id, cell, kind, metric, unit_set(unit) AS units, row_number() OVER () AS y_id FROM ys GROUP BY ALL
),
-- a unit and value of one column of each set
x_sets AS (SELECT DISTINCT ON (run_id, cell, kind, units) * FROM x_columns),
y_sets AS (SELECT DISTINCT ON (run_id, cell, kind, units) * FROM y_columns),
x_units AS MATERIALIZED (
    SELECT run_id, cell, kind, unit, x_id FROM xs JOIN x_sets USING (run_id, cell, kind, stage, measure)
),
y_units AS MATERIALIZED (
    SELECT run_id, cell, kind, unit, y_id FROM ys JOIN y_sets USING (run_id, cell, kind, metric)
),
x_ranks AS (
    SELECT x.x_id, other.y_id AS set_id, unit,
        centred_rank(rank() OVER by_x, count(*) OVER by_x, count(*) OVER of_x) AS place
    FROM xs
    JOIN x_columns AS x USING (run_id, cell, kind, stage, measure)
    JOIN y_units AS other USING (run_id, cell, kind, unit)
    WINDOW of_x AS (PARTITION BY x.x_id, other.y_id), by_x AS (PARTITION BY x.x_id, other.y_id ORDER BY x)
),
y_ranks AS (
    SELECT y.y_id, other.x_id AS set_id, unit,
        centred_rank(rank() OVER by_y, count(*) OVER by_y, count(*) OVER of_y) AS place
    FROM ys
    JOIN y_columns AS y USING (run_id, cell, kind, metric)
    JOIN x_units AS other USING (run_id, cell, kind, unit)
    WINDOW of_y AS (PARTITION BY y.y_id, other.x_id), by_y AS (PARTITION BY y.y_id, other.x_id ORDER BY y)
),
x_places AS (SELECT x_id, set_id, list(place ORDER BY unit) AS places FROM x_ranks GROUP BY ALL),
y_places AS (SELECT y_id, set_id, list(place ORDER BY unit) AS places FROM y_ranks GROUP BY ALL),
correlated AS (
    SELECT
        run_id, cell, y.metric, kind, x.stage, x.measure,
        list_inner_product(x_places.places, y_places.places) / nullif(
            sqrt(list_inner_product(x_places.places, x_places.places))
            * sqrt(list_inner_product(y_places.places, y_places.places)), 0
        ) AS rho,
        len(x_places.places) AS n
    FROM x_columns AS x
    JOIN y_columns AS y USING (run_id, cell, kind)
    JOIN x_sets USING (run_id, cell, kind)
    JOIN y_sets USING (run_id, cell, kind)
    JOIN x_places ON x_places.x_id = x.x_id AND x_places.set_id = y_sets.y_id
    JOIN y_places ON y_places.y_id = y.y_id AND y_places.set_id = x_sets.x_id
    WHERE x_sets.units = x.units AND y_sets.units = y.units
)
SELECT c.run_id, c.cell, c.metric, c.kind, c.stage, c.measure, c.rho, c.n, i.low, i.high, i.method
FROM correlated AS c
LEFT JOIN intervals AS i
    ON i.query = 'correlations' AND i.statistic = 'rho' AND i.run_id = c.run_id AND i.cell = c.cell
    AND i.metric = c.metric AND i.stage = c.stage AND i.measure = c.measure
    AND i.n = c.n AND c.rho IS NOT NULL
ORDER BY
    c.run_id, c.cell, c.kind DESC, c.metric,
    stage_place(c.stage),
    measure_place(c.measure);
