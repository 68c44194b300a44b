-- Does the knob repair the worst images? Paired change on the baseline's worst and best share, with a control.
--
-- Samples are selected by one metric of the baseline; changes are shown in every metric. Samples selected as the worst
-- regress to the mean when resampled. swap controls for this: it is half of (the change from baseline to knob on the
-- baseline's worst minus the change from knob to baseline on the knob's worst). It is zero if the two cells are
-- exchangeable; otherwise it estimates the repair. Samples with equal values at the edge of the share count in part.
-- Pairs need both metrics in both cells; failed counts pairs whose image failed under the knob.
WITH
settings AS (SELECT coalesce(getvariable('fraction')::DOUBLE, 0.2) AS fraction),
checked AS (
    SELECT CASE WHEN fraction > 0 AND fraction <= 0.5 THEN fraction
        ELSE error('fraction ' || fraction || ': more than 0 and at most 0.5') END AS fraction
    FROM settings
),
-- numbers in place of long keys, so that rows are narrow: a series is a metric of a cell
series_of AS MATERIALIZED (
    SELECT run_id, cell, metric, higher_is_better, row_number() OVER () AS series
    FROM cells JOIN metrics USING (run_id) WHERE kind = 'sample'
),
numbered_pairs AS MATERIALIZED (
    SELECT run_id, pair_id, pair, dense_rank() OVER (ORDER BY run_id, prompt_id) AS prompt
    FROM (
        SELECT run_id, pair_id, any_value(prompt_id) AS prompt_id, row_number() OVER () AS pair
        FROM samples GROUP BY run_id, pair_id
    )
),
ok AS MATERIALIZED (
    SELECT s.series, p.pair, p.prompt, c.baseline, c.value, c.change
    FROM unit_changes AS c
    JOIN series_of AS s ON s.run_id = c.run_id AND s.cell = c.cell AND s.metric = c.metric
    JOIN numbered_pairs AS p ON p.run_id = c.run_id AND p.pair_id = c.unit
    WHERE c.kind = 'sample' AND c.change IS NOT NULL
),
failed AS (
    SELECT knob.run_id, knob.cell, count(*) FILTER (knob.status <> 'ok' AND base.status = 'ok') AS failed
    FROM runs
    JOIN samples AS base ON base.run_id = runs.run_id AND base.cell = runs.baseline
    JOIN samples AS knob ON knob.run_id = base.run_id AND knob.pair_id = base.pair_id AND knob.cell <> base.cell
    GROUP BY ALL
),
-- A metric selects the same pairs for all metrics that have values for the same pairs. So pairs are selected once for each
-- such set of pairs (as a rule there is one per cell), not for each metric. A set has the number of one of its series.
pairs_of AS (SELECT series, unit_set(pair) AS pairs FROM ok GROUP BY series),
sets AS MATERIALIZED (
    SELECT run_id, cell, metric, higher_is_better, series, min(series) OVER (PARTITION BY run_id, cell, pairs) AS pair_set
    FROM pairs_of JOIN series_of USING (series)
),
-- the sets beside which each series selects
selections AS (
    SELECT c.series AS chosen_by, c.higher_is_better, s.pair_set
    FROM sets AS c JOIN (SELECT DISTINCT run_id, cell, pair_set FROM sets) AS s USING (run_id, cell)
    WHERE c.higher_is_better IS NOT NULL  -- else there is no worst
),
-- how many pairs are below each pair, and how many at or below it, where low is bad; k: how many to select
placed AS (
    SELECT
        chosen_by, selections.pair_set, c.pair, checked.fraction,
        CASE WHEN higher_is_better THEN c.baseline ELSE -c.baseline END AS base_place,
        CASE WHEN higher_is_better THEN c.value ELSE -c.value END AS knob_place,
        count(*) OVER whole AS pairs,
        greatest(1, round(checked.fraction * count(*) OVER whole)) AS k,
        rank() OVER by_base - 1 AS base_first, count(*) OVER by_base AS base_last,
        rank() OVER by_knob - 1 AS knob_first, count(*) OVER by_knob AS knob_last
    FROM ok AS c
    JOIN selections ON selections.chosen_by = c.series
    SEMI JOIN ok AS other ON other.series = selections.pair_set AND other.pair = c.pair
    CROSS JOIN checked
    WINDOW
        whole AS (PARTITION BY chosen_by, selections.pair_set),
        by_base AS (PARTITION BY chosen_by, selections.pair_set ORDER BY base_place),
        by_knob AS (PARTITION BY chosen_by, selections.pair_set ORDER BY knob_place)
),
-- how much of each pair is selected: all, none, or at the edge its share
selected AS (
    SELECT
        chosen_by, pair_set, pair, fraction, pairs, k,
        greatest(0, least(1, (k - base_first) / (base_last - base_first))) AS worst,
        greatest(0, least(1, (k - (pairs - base_last)) / (base_last - base_first))) AS best,
        greatest(0, least(1, (k - knob_first) / (knob_last - knob_first))) AS knob_worst
    FROM placed
    WHERE worst > 0 OR best > 0 OR knob_worst > 0
),
with_sets AS MATERIALIZED (SELECT ok.*, sets.pair_set FROM ok JOIN sets USING (series)),
-- the sums of each prompt, with its weights
sums AS MATERIALIZED (
    SELECT
        s.chosen_by, m.series, m.prompt, any_value(fraction) AS fraction, any_value(pairs) AS pairs, any_value(k) AS k,
        sum(worst * m.baseline) AS worst_baseline, sum(best * m.baseline) AS best_baseline,
        sum(worst * m.change) AS worst_change, sum(best * m.change) AS best_change,
        sum(knob_worst * m.change) AS knob_worst_change,
        sum(worst) AS worst, sum(best) AS best, sum(knob_worst) AS knob_worst
    FROM selected AS s JOIN with_sets AS m USING (pair_set, pair)
    GROUP BY s.chosen_by, m.series, m.prompt
),
means AS (
    SELECT
        chosen_by, series, any_value(fraction) AS fraction, any_value(pairs) AS pairs, any_value(k) AS k,
        sum(worst_baseline) / any_value(k) AS worst_baseline, sum(best_baseline) / any_value(k) AS best_baseline,
        sum(worst_change) / any_value(k) AS worst_change, sum(best_change) / any_value(k) AS best_change,
        sum(knob_worst_change) / any_value(k) AS knob_worst_change
    FROM sums GROUP BY chosen_by, series
),
-- each prompt's pull on the means, for the clustered standard error (Liang-Zeger)
pulls AS (
    SELECT
        chosen_by, series,
        (s.worst_change - s.worst * m.worst_change) / m.k AS worst,
        (s.best_change - s.best * m.best_change) / m.k AS best,
        (s.worst_change - s.worst * m.worst_change + s.knob_worst_change - s.knob_worst * m.knob_worst_change)
            / m.k / 2 AS swap,
        s.worst > 0 AS in_worst, s.best > 0 AS in_best, s.worst + s.knob_worst > 0 AS in_swap
    FROM sums AS s JOIN means AS m USING (chosen_by, series)
),
errors AS (
    SELECT
        chosen_by, series,
        clustered_error(worst, sum(in_worst::INT)) AS worst_error,
        clustered_error(best, sum(in_best::INT)) AS best_error,
        clustered_error(swap, sum(in_swap::INT)) AS swap_error,
        sum(in_worst::INT) AS worst_prompts, sum(in_best::INT) AS best_prompts, sum(in_swap::INT) AS swap_prompts
    FROM pulls GROUP BY ALL
),
answers AS (
    SELECT
        s.run_id, s.cell, c.metric AS chosen_by, s.metric, m.fraction, m.pairs, m.k::BIGINT AS n,
        unnest(['worst', 'best', 'swap']) AS regime,
        unnest([worst_baseline, best_baseline, NULL]) AS baseline,
        unnest([worst_change, best_change, (worst_change + knob_worst_change) / 2]) AS change,
        unnest([worst_error, best_error, swap_error]) AS error,
        unnest([worst_prompts, best_prompts, swap_prompts])::BIGINT AS prompts
    FROM means AS m
    JOIN errors USING (chosen_by, series)
    JOIN series_of AS c ON c.series = m.chosen_by
    JOIN series_of AS s ON s.series = m.series
)
SELECT
    a.run_id, a.cell, a.chosen_by, a.metric, a.regime, a.fraction, a.baseline, a.change,
    coalesce(i.low, a.change - z95() * a.error) AS low,
    coalesce(i.high, a.change + z95() * a.error) AS high,
    coalesce(i.method, CASE WHEN a.error IS NOT NULL THEN normal_method() END) AS method,
    a.n, a.prompts, a.pairs, failed.failed
FROM answers AS a
JOIN cells AS c USING (run_id, cell)
JOIN failed USING (run_id, cell)
LEFT JOIN intervals AS i  -- which has the metric that chose in its column `measure`
    ON i.query = 'worst_fraction' AND i.statistic = 'change' AND i.run_id = a.run_id AND i.cell = a.cell
    AND i.measure = a.chosen_by AND i.metric = a.metric AND i.regime = a.regime
    AND i.n = a.n AND a.fraction = 0.2  -- the share that the analysis takes
ORDER BY
    a.run_id, c.position, a.chosen_by, a.metric, list_position(['worst', 'best', 'swap'], a.regime);
