-- Which setting is best? Cells ranked by their paired change in each metric, and by their mean rank over all.
--
-- The baseline takes part with a gain of 0: a setting that ranks below it is worse than no knob. Ranks are by worst_case,
-- so a setting does not gain by failing on hard images. All metrics have the same weight in the mean rank. Metrics
-- without a better side, such as sharpness, are left out. Pairs are those of static_effect.
WITH
gains AS (
    SELECT
        e.run_id, e.category, e.cell, e.metric, e.kind, e.wins, e.n, e.failed,
        CASE WHEN m.higher_is_better THEN 1 ELSE -1 END AS way,
        way * e.change AS gain, way * e.change - z95() * e.error AS low,
        way * e.change + z95() * e.error AS high,
        way * e.change / nullif(e.baseline_sd, 0) AS gain_sd, way * e.worst_case AS worst_case,
        greatest(abs(e.baseline), abs(e.mean), e.baseline_sd) AS size
    FROM effects AS e
    JOIN metrics AS m ON m.run_id = e.run_id AND m.metric = e.metric AND m.kind = e.kind
    WHERE m.higher_is_better IS NOT NULL
),
-- the baseline against itself
contenders AS (
    SELECT run_id, category, cell, metric, kind, gain, low, high, gain_sd, wins, n, failed, worst_case, size FROM gains
    UNION ALL
    SELECT DISTINCT g.run_id, g.category, r.baseline, g.metric, g.kind, 0, NULL, NULL, 0, 0.5, NULL, 0, 0, NULL
    FROM gains AS g JOIN runs AS r ON r.run_id = g.run_id
),
-- Gains are equal if they differ by less than about 1e-9 of the metric's size, as in pareto_front: the order of a sum
-- changes its last digits.
compared AS (
    SELECT
        * EXCLUDE (size),
        coalesce(round(worst_case / nullif(max(size) OVER of_metric, 0), 9), worst_case) AS compared
    FROM contenders
    WINDOW of_metric AS (PARTITION BY run_id, category, metric, kind)
),
ranked AS (
    SELECT
        *,
        rank() OVER by_gain + (count(*) OVER (
            PARTITION BY run_id, category, metric, kind, compared
        ) - 1) / 2 AS rank
    FROM compared
    WINDOW by_gain AS (PARTITION BY run_id, category, metric, kind ORDER BY compared DESC)
),
averaged AS (
    SELECT
        *,
        avg(rank) OVER of_cell AS mean_rank,
        count(*) FILTER (low > 0) OVER of_cell AS better,
        count(*) FILTER (high < 0) OVER of_cell AS worse
    FROM ranked
    WINDOW of_cell AS (PARTITION BY run_id, category, cell)
)
SELECT
    a.run_id, a.category, a.cell, k.family, k.settings, a.metric, a.kind, a.rank, a.mean_rank, a.better, a.worse,
    a.gain, a.low, a.high, a.gain_sd, a.wins, a.n, a.failed, a.worst_case
FROM averaged AS a
JOIN knobs AS k ON k.run_id = a.run_id AND k.cell = a.cell
ORDER BY a.run_id, a.category, a.mean_rank, k.position, a.kind DESC, a.metric;
