-- Does the adaptive rule beat the static knob of the same strength? Paired difference, adaptive less static.
--
-- An adaptive cell is matched with the static one of the same base alpha and beta, blocks, steps and rescaling; pairs
-- are the images of the same prompt, seed and size (for diversity: a prompt's images) that have a value in both,
-- scored by the same version; of a metric that grows with the images in the set (as Vendi), also of as many images.
WITH
pairs AS MATERIALIZED (FROM rule_pairs),
means AS (
    SELECT
        run_id, cell, static_cell, alpha, beta, adapt_alpha, adapt_beta, metric, kind,
        avg(static) AS static, avg(adaptive) AS adaptive, avg(change) AS change, count(*) AS n
    FROM pairs GROUP BY ALL
),
-- each prompt's pull on the mean, for the clustered standard error (Liang-Zeger)
pulls AS (
    SELECT run_id, cell, static_cell, metric, kind, prompt_id, sum(p.change - m.change) / any_value(m.n) AS pull
    FROM pairs AS p JOIN means AS m USING (run_id, cell, static_cell, metric, kind)
    GROUP BY ALL
),
errors AS (
    SELECT
        run_id, cell, static_cell, metric, kind,
        clustered_error(pull, count(*)) AS error
    FROM pulls GROUP BY ALL
),
lost AS (
    SELECT run_id, cell, count(*) FILTER (status <> 'ok') AS lost FROM samples GROUP BY ALL
)
SELECT
    m.run_id, m.cell, m.static_cell, m.alpha, m.beta, m.adapt_alpha, m.adapt_beta, m.metric, m.kind,
    m.static, m.adaptive, m.change,
    coalesce(i.low, m.change - z95() * e.error) AS low,
    coalesce(i.high, m.change + z95() * e.error) AS high,
    coalesce(i.method, CASE WHEN e.error IS NOT NULL THEN normal_method() END) AS method,
    m.n, static_lost.lost AS static_lost, adaptive_lost.lost AS adaptive_lost
FROM means AS m
JOIN errors AS e USING (run_id, cell, static_cell, metric, kind)
JOIN cells AS c ON c.run_id = m.run_id AND c.cell = m.cell
JOIN lost AS static_lost ON static_lost.run_id = m.run_id AND static_lost.cell = m.static_cell
JOIN lost AS adaptive_lost ON adaptive_lost.run_id = m.run_id AND adaptive_lost.cell = m.cell
LEFT JOIN intervals AS i  -- which has the static cell in its column `regime`
    ON i.query = 'adaptive_vs_static' AND i.statistic = 'change' AND i.run_id = m.run_id AND i.cell = m.cell
    AND i.regime = m.static_cell AND i.metric = m.metric AND i.n = m.n
ORDER BY m.run_id, c.position, m.static_cell, kind_place(m.kind), m.metric;
