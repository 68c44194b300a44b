-- Which settings are on the Pareto front? Fidelity against diversity, and the area that each family of knobs adds.
--
-- A setting is on the front if no other setting of the run is at least as good in both metrics and better in one. The box
-- from the worst to the best of the cells' means in both metrics has area 1. A family dominates the area below and left of
-- its settings. The baseline is the neutral setting of each knob and belongs to every family. family_added is the area that
-- a family dominates and the baseline alone does not. It is 0 if no setting of the family is better than the baseline in a
-- metric. The box depends on the run, so areas are comparable only within a run, and one cell that is very bad in one
-- metric stretches the box for all families.
-- Means are equal if they differ by less than 1e-9 of the largest absolute mean, because the order of summation changes
-- them by less than that. If all cells are equal in a metric, there is no box and no area.
WITH
means AS (
    SELECT v.run_id, v.cell, m.role, m.metric, m.higher_is_better, avg(v.value) AS mean, avg(abs(v.value)) AS size,
        count(*) AS n
    FROM unit_values AS v JOIN main_metrics AS m ON m.run_id = v.run_id AND m.metric = v.metric AND m.kind = v.kind
    WHERE m.higher_is_better IS NOT NULL
    GROUP BY ALL
    UNION ALL
    SELECT g.run_id, g.cell, m.role, m.metric, m.higher_is_better, g.value, abs(g.value), g.n
    FROM cell_values AS g JOIN main_metrics AS m ON m.run_id = g.run_id AND m.metric = g.metric
    WHERE m.kind = 'cell'
),
points AS (
    SELECT
        f.run_id, f.cell, k.position, k.baseline, k.family, k.settings,
        f.metric AS fidelity, d.metric AS diversity, f.mean AS fidelity_mean, d.mean AS diversity_mean,
        f.n AS fidelity_n, d.n AS diversity_n,
        CASE WHEN d.higher_is_better THEN d.mean ELSE -d.mean END AS x,
        CASE WHEN f.higher_is_better THEN f.mean ELSE -f.mean END AS y,
        1e-9 * max(d.size) OVER (PARTITION BY f.run_id) AS dx, 1e-9 * max(f.size) OVER (PARTITION BY f.run_id) AS dy
    FROM means AS f
    JOIN means AS d ON d.run_id = f.run_id AND d.cell = f.cell AND d.role = 'diversity'
    JOIN knobs AS k ON k.run_id = f.run_id AND k.cell = f.cell
    WHERE f.role = 'fidelity'
),
dominated AS (
    SELECT p.run_id, p.cell, arg_max(o.cell, (o.x - p.x) + (o.y - p.y)) AS dominated_by
    FROM points AS p JOIN points AS o USING (run_id)
    WHERE o.x >= p.x - p.dx AND o.y >= p.y - p.dy AND (o.x > p.x + p.dx OR o.y > p.y + p.dy)
    GROUP BY ALL
),
members AS (
    SELECT run_id, family, cell, x, y FROM points
    UNION ALL
    SELECT f.run_id, f.family, b.cell, b.x, b.y
    FROM (SELECT DISTINCT run_id, family FROM points WHERE family <> 'baseline') AS f
    JOIN points AS b ON b.run_id = f.run_id AND b.family = 'baseline'
),
box AS (
    SELECT
        run_id, min(x) AS x0, max(x) AS x1, min(y) AS y0, max(y) AS y1,
        concat_ws(
            ' and ', CASE WHEN x1 - x0 <= max(dx) THEN any_value(diversity) END,
            CASE WHEN y1 - y0 <= max(dy) THEN any_value(fidelity) END
        ) AS equal
    FROM points GROUP BY run_id
),
placed AS (
    SELECT m.run_id, m.family, (m.x - x0) / (x1 - x0) AS u, (m.y - y0) / (y1 - y0) AS v
    FROM members AS m JOIN box USING (run_id)
    WHERE equal = ''
),
-- from the right: each setting adds a strip from the left edge to its own place, as high as it rises above the ones before
strips AS (
    SELECT
        run_id, family,
        u * greatest(0, v - coalesce(max(v) OVER (
            PARTITION BY run_id, family ORDER BY u DESC, v DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0)) AS strip
    FROM placed
),
areas AS (SELECT run_id, family, sum(strip) AS area FROM strips GROUP BY ALL),
added AS (
    SELECT f.run_id, f.family, f.area - coalesce(b.area, 0) AS more
    FROM areas AS f LEFT JOIN areas AS b ON b.run_id = f.run_id AND b.family = 'baseline'
    WHERE f.family <> 'baseline'
)
SELECT
    p.run_id, p.family, p.cell, p.settings, p.fidelity, p.diversity, p.fidelity_mean, p.diversity_mean,
    p.fidelity_n, p.diversity_n, d.dominated_by IS NULL AS on_front, d.dominated_by,
    CASE WHEN a.more < 1e-9 THEN 0 ELSE a.more END AS family_added, i.low, i.high, i.method,
    CASE WHEN p.family <> 'baseline' AND b.equal <> '' THEN 'all cells have the same ' || b.equal END AS reason
FROM points AS p
JOIN box AS b ON b.run_id = p.run_id
LEFT JOIN dominated AS d ON d.run_id = p.run_id AND d.cell = p.cell
LEFT JOIN added AS a ON a.run_id = p.run_id AND a.family = p.family
LEFT JOIN intervals AS i  -- its column `regime` holds the family, `metric` and `measure` the two metrics
    ON i.query = 'pareto_front' AND i.statistic = 'added' AND i.run_id = p.run_id AND i.regime = p.family
    AND i.metric = p.fidelity AND i.measure = p.diversity AND a.more IS NOT NULL
ORDER BY p.run_id, p.position;
