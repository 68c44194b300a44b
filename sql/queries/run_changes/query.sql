-- Did last night's build change anything? Each cell's metrics, and Align, in one run against another, paired.
--
-- Cells are matched by name, images by prompt, noise and size, so builds, models and knobs may differ. same_knob says
-- whether the settings are equal, with defaults filled in. A cell or metric that only one of the runs has is left out.
-- A pair is left out if it was scored by different scorers or versions (then score the older run again). For a metric that
-- grows with the size of the set (Vendi), a pair of sets of different sizes is left out too.
WITH
pairs AS MATERIALIZED (
    SELECT
        now.run_id, was.run_id AS against, cell, metric, kind, now.prompt_id, was.value AS before, now.value,
        now.value - was.value AS change
    FROM unit_values AS now JOIN unit_values AS was USING (cell, metric, kind, unit, comparability)
    WHERE now.run_id IN (FROM newest_run) AND was.run_id IN (FROM earlier_run)
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
failed AS (
    SELECT run_id, cell, count(*) FILTER (status <> 'ok') AS failed FROM samples GROUP BY ALL
)
SELECT
    m.run_id, m.against, m.cell,
    k.knob = o.knob AND k.by_name = o.by_name AND k.overrides = o.overrides AS same_knob,
    m.metric, m.kind, m.before, m.mean, m.change,
    m.change - z95() * e.error AS low, m.change + z95() * e.error AS high, e.error,
    CASE WHEN e.error IS NOT NULL THEN normal_method() END AS method,
    m.n, failed.failed, before.failed AS failed_before
FROM means AS m
JOIN errors AS e USING (cell, metric, kind)
JOIN knobs AS k ON k.run_id = m.run_id AND k.cell = m.cell
JOIN knobs AS o ON o.run_id = m.against AND o.cell = m.cell
JOIN failed ON failed.run_id = m.run_id AND failed.cell = m.cell
JOIN failed AS before ON before.run_id = m.against AND before.cell = m.cell
ORDER BY k.position, kind_place(m.kind), m.metric;
