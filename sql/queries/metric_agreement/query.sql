-- Which metrics agree with people? The share of votes in which a metric prefers the same side as the rater.
--
-- Votes for the question quality are compared with metrics of a sample, on the samples that the rater saw; votes for
-- diversity with metrics of a prompt's set, which has all usable seeds of the prompt, also more than were shown. Votes that
-- are ties are left out; a tie of the metric counts half, and ties counts them. So 0.5 is what a coin would reach. Metrics
-- without a better side are left out, and so are comparisons in which a side has no value or one of another version. All
-- pairs of cells count together. The interval is made as that of the query ratings; verdict needs ten prompts: agrees or
-- disagrees if the interval excludes 0.5, else not shown.
WITH
decided AS MATERIALIZED (FROM votes WHERE score <> 0.5),
preferences AS MATERIALIZED (
    SELECT
        v.run_id, v.question, v.prompt_id, v.rater, v.score, ours.metric, 'sample' AS kind, ours.value - other.value AS change
    FROM decided AS v
    JOIN metric_values AS ours ON ours.run_id = v.run_id AND ours.sample_id = v.samples[1]
    JOIN metric_values AS other
        ON other.run_id = v.run_id AND other.sample_id = v.against_samples[1]
        AND other.metric = ours.metric AND other.comparability = ours.comparability
    WHERE v.question = 'quality' AND ours.status = 'ok' AND other.status = 'ok'
        AND isfinite(ours.value) AND isfinite(other.value)
    UNION ALL
    SELECT v.run_id, v.question, v.prompt_id, v.rater, v.score, ours.metric, 'prompt', ours.value - other.value
    FROM decided AS v
    JOIN prompt_metric_values AS ours
        ON ours.run_id = v.run_id AND ours.cell = v.cell AND ours.prompt_id = v.prompt_id
    JOIN prompt_metric_values AS other
        ON other.run_id = v.run_id AND other.cell = v.against AND other.prompt_id = v.prompt_id
        AND other.metric = ours.metric AND other.comparability = ours.comparability
    WHERE v.question = 'diversity' AND isfinite(ours.value) AND isfinite(other.value)
),
judged AS MATERIALIZED (
    SELECT
        p.run_id, p.question, p.metric AS item, p.kind, p.prompt_id, p.rater, p.change = 0 AS tied,
        CASE
            WHEN p.change = 0 THEN 0.5
            WHEN (p.change > 0) = (m.higher_is_better = (p.score = 1)) THEN 1.0
            ELSE 0.0
        END::DOUBLE AS agrees
    FROM preferences AS p
    JOIN metrics AS m ON m.run_id = p.run_id AND m.metric = p.metric AND m.kind = p.kind
    WHERE m.higher_is_better IS NOT NULL
),
tallies AS MATERIALIZED (
    SELECT run_id, question, item, prompt_id, rater, sum(agrees) AS total, count(*) AS n FROM judged GROUP BY ALL
),
shares AS (
    SELECT
        run_id, question, item, kind, avg(agrees) AS agreement, count(*) AS n, count(*) FILTER (tied) AS ties,
        count(DISTINCT prompt_id) AS prompts, count(DISTINCT rater) AS raters
    FROM judged
    GROUP BY ALL
)
SELECT
    s.run_id, s.question, s.item AS metric, s.kind AS unit, s.agreement, i.low, i.high,
    CASE WHEN i.low IS NOT NULL THEN vote_method() END AS method,
    CASE WHEN s.prompts >= 10 AND i.low > 0.5 THEN 'agrees' WHEN s.prompts >= 10 AND i.high < 0.5 THEN 'disagrees'
        ELSE 'not shown' END AS verdict,
    s.n, s.ties, s.prompts, s.raters
FROM shares AS s
LEFT JOIN vote_intervals('tallies') AS i USING (run_id, question, item)
ORDER BY s.run_id, s.question DESC, s.agreement DESC, s.item;
