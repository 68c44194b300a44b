-- Does the adaptive rule beat the static knob of the same strength? Paired difference, adaptive minus static.
--
-- Each adaptive cell is compared with the static cell of the same base alpha and beta, blocks, steps and rescaling.
-- Pairs are images of the same prompt, seed and size (for diversity: a prompt's set of images) with a value in both
-- cells from the same version of the scorer. If a metric grows with the size of the set (Vendi), both sets must also
-- have the same size.
WITH
pairs AS MATERIALIZED (FROM adaptive_pairs),
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
failed AS (
    SELECT run_id, cell, count(*) FILTER (status <> 'ok') AS failed FROM samples GROUP BY ALL
)
SELECT
    m.run_id, m.cell, m.static_cell, m.alpha, m.beta, m.adapt_alpha, m.adapt_beta, m.metric, m.kind,
    m.static, m.adaptive, m.change,
    coalesce(i.low, m.change - z95() * e.error) AS low,
    coalesce(i.high, m.change + z95() * e.error) AS high,
    coalesce(i.method, CASE WHEN e.error IS NOT NULL THEN normal_method() END) AS method,
    m.n, static_failed.failed AS static_failed, adaptive_failed.failed AS adaptive_failed
FROM means AS m
JOIN errors AS e USING (run_id, cell, static_cell, metric, kind)
JOIN cells AS c ON c.run_id = m.run_id AND c.cell = m.cell
JOIN failed AS static_failed ON static_failed.run_id = m.run_id AND static_failed.cell = m.static_cell
JOIN failed AS adaptive_failed ON adaptive_failed.run_id = m.run_id AND adaptive_failed.cell = m.cell
LEFT JOIN intervals AS i  -- its column `regime` holds the static cell
    ON i.query = 'adaptive_vs_static' AND i.statistic = 'change' AND i.run_id = m.run_id AND i.cell = m.cell
    AND i.regime = m.static_cell AND i.metric = m.metric AND i.n = m.n
ORDER BY m.run_id, c.position, m.static_cell, kind_place(m.kind), m.metric;
