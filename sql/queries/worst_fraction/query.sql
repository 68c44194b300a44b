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
ok AS MATERIALIZED (
    SELECT p.run_id, p.cell, p.metric, p.pair_id, p.prompt_id, p.baseline, p.value, m.higher_is_better
    FROM paired AS p JOIN metrics AS m ON m.run_id = p.run_id AND m.metric = p.metric AND m.kind = 'sample'
    WHERE p.change IS NOT NULL
),
failed AS (
    SELECT knob.run_id, knob.cell, count(*) FILTER (knob.status <> 'ok' AND base.status = 'ok') AS failed
    FROM runs
    JOIN samples AS base ON base.run_id = runs.run_id AND base.cell = runs.baseline
    JOIN samples AS knob ON knob.run_id = base.run_id AND knob.pair_id = base.pair_id AND knob.cell <> base.cell
    GROUP BY ALL
),
-- low is bad in base_place and knob_place, whatever the metric
crossed AS (
    SELECT
        c.run_id, c.cell, c.metric AS chosen_by, m.metric, c.prompt_id, checked.fraction,
        CASE WHEN c.higher_is_better THEN c.baseline ELSE -c.baseline END AS base_place,
        CASE WHEN c.higher_is_better THEN c.value ELSE -c.value END AS knob_place,
        m.baseline, m.value - m.baseline AS change
    FROM ok AS c JOIN ok AS m USING (run_id, cell, pair_id) CROSS JOIN checked
    WHERE c.higher_is_better IS NOT NULL  -- else there is no worst
),
-- how many samples are below each sample, and how many at or below it; k: how many to select
placed AS (
    SELECT
        *,
        count(*) OVER whole AS pairs,
        greatest(1, round(fraction * count(*) OVER whole)) AS k,
        rank() OVER by_base - 1 AS base_first, count(*) OVER by_base AS base_last,
        rank() OVER by_knob - 1 AS knob_first, count(*) OVER by_knob AS knob_last
    FROM crossed
    WINDOW
        whole AS (PARTITION BY run_id, cell, chosen_by, metric),
        by_base AS (PARTITION BY run_id, cell, chosen_by, metric ORDER BY base_place),
        by_knob AS (PARTITION BY run_id, cell, chosen_by, metric ORDER BY knob_place)
),
-- how much of each sample is chosen: all, none, or at the edge its share
chosen AS (
    SELECT
        *,
        greatest(0, least(1, (k - base_first) / (base_last - base_first))) AS worst,
        greatest(0, least(1, (k - (pairs - base_last)) / (base_last - base_first))) AS best,
        greatest(0, least(1, (k - knob_first) / (knob_last - knob_first))) AS knob_worst
    FROM placed
),
means AS (
    SELECT
        run_id, cell, chosen_by, metric, fraction, any_value(pairs) AS pairs, any_value(k) AS k,
        sum(worst * baseline) / any_value(k) AS worst_baseline, sum(best * baseline) / any_value(k) AS best_baseline,
        sum(worst * change) / any_value(k) AS worst_change, sum(best * change) / any_value(k) AS best_change,
        sum(knob_worst * change) / any_value(k) AS knob_worst_change
    FROM chosen GROUP BY ALL
),
-- each prompt's pull on the means, for the clustered standard error (Liang-Zeger)
pulls AS (
    SELECT
        run_id, cell, chosen_by, metric, prompt_id,
        sum(worst * (change - worst_change)) / any_value(m.k) AS worst,
        sum(best * (change - best_change)) / any_value(m.k) AS best,
        sum(worst * (change - worst_change) + knob_worst * (change - knob_worst_change)) / any_value(m.k) / 2 AS swap,
        sum(worst) > 0 AS in_worst, sum(best) > 0 AS in_best, sum(worst + knob_worst) > 0 AS in_swap
    FROM chosen AS c JOIN means AS m USING (run_id, cell, chosen_by, metric)
    GROUP BY ALL
),
errors AS (
    SELECT
        run_id, cell, chosen_by, metric,
        clustered_error(worst, sum(in_worst::INT)) AS worst_error,
        clustered_error(best, sum(in_best::INT)) AS best_error,
        clustered_error(swap, sum(in_swap::INT)) AS swap_error,
        sum(in_worst::INT) AS worst_prompts, sum(in_best::INT) AS best_prompts, sum(in_swap::INT) AS swap_prompts
    FROM pulls GROUP BY ALL
),
answers AS (
    SELECT
        m.run_id, m.cell, m.chosen_by, m.metric, m.fraction, m.pairs, m.k::BIGINT AS n,
        unnest(['worst', 'best', 'swap']) AS regime,
        unnest([worst_baseline, best_baseline, NULL]) AS baseline,
        unnest([worst_change, best_change, (worst_change + knob_worst_change) / 2]) AS change,
        unnest([worst_error, best_error, swap_error]) AS error,
        unnest([worst_prompts, best_prompts, swap_prompts])::BIGINT AS prompts
    FROM means AS m JOIN errors USING (run_id, cell, chosen_by, metric)
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
