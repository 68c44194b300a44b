-- Did last night's build change anything? Each cell's metrics, and Align, in one run against another, paired.
--
-- Cells are matched by name, images by prompt, noise and size, so builds, models and knobs may differ: same_knob says
-- whether the setting is the same, whatever the order in which it is written, with its defaults or without. A cell or
-- metric that only one of the runs has is not here. Nor is a pair that different scorers or versions of one scored (score
-- the older run anew), or one of a metric that grows with the images in the set (as Vendi), whose sets are not of the same
-- size.
WITH
pairs AS MATERIALIZED (
    SELECT
        now.run_id, was.run_id AS against, cell, metric, kind, now.prompt_id, was.value AS before, now.value,
        now.value - was.value AS change
    FROM unit_values AS now JOIN unit_values AS was USING (cell, metric, kind, unit, comparability)
    WHERE now.run_id IN (FROM newest_run) AND was.run_id IN (FROM run_before)
),
means AS (
    SELECT
        run_id, against, cell, metric, kind,
        avg(before) AS before, avg(value) AS mean, avg(change) AS change, count(*) AS n
    FROM pairs GROUP BY ALL
),
-- each prompt's pull on the mean, for the clustered standard error (Liang-Zeger)
pulls AS (
    SELECT cell, metric, kind, prompt_id, sum(p.change - m.change) / any_value(m.n) AS pull
    FROM pairs AS p JOIN means AS m USING (cell, metric, kind)
    GROUP BY ALL
),
errors AS (
    SELECT cell, metric, kind, clustered_error(pull, count(*)) AS error
    FROM pulls GROUP BY ALL
),
lost AS (
    SELECT run_id, cell, count(*) FILTER (status <> 'ok') AS lost FROM samples GROUP BY ALL
)
SELECT
    m.run_id, m.against, m.cell,
    k.knob = o.knob AND k.by_name = o.by_name AS same_knob,
    m.metric, m.kind, m.before, m.mean, m.change,
    m.change - z95() * e.error AS low, m.change + z95() * e.error AS high, e.error,
    CASE WHEN e.error IS NOT NULL THEN normal_method() END AS method,
    m.n, lost.lost, before.lost AS lost_before
FROM means AS m
JOIN errors AS e USING (cell, metric, kind)
JOIN knobs AS k ON k.run_id = m.run_id AND k.cell = m.cell
JOIN knobs AS o ON o.run_id = m.against AND o.cell = m.cell
JOIN lost ON lost.run_id = m.run_id AND lost.cell = m.cell
JOIN lost AS before ON before.run_id = m.against AND before.cell = m.cell
ORDER BY k.position, kind_place(m.kind), m.metric;
