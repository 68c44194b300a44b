-- Which cells do people prefer? The win rate of each pair of cells in the votes of `skewbench rate`.
--
-- A vote is of one rater on one comparison: for the question quality a pair of samples of one prompt and seed, for diversity
-- the two sets of a prompt's samples. win_rate is the share of votes for cell, ties half. The interval is clustered by prompt
-- and by rater: Wilson's, with the variance of the pigeonhole bootstrap. With one rater it says nothing of other raters.
-- verdict needs ten prompts: better or worse if the interval excludes 0.5, else not shown. left is a check of the votes:
-- sides are shuffled, so it should be near 0.5.
WITH
tallies AS MATERIALIZED (
    SELECT run_id, question, {cell: cell, against: against} AS item, prompt_id, rater, sum(score) AS total, count(*) AS n
    FROM votes
    GROUP BY ALL
),
rates AS (
    SELECT
        run_id, question, cell, against, avg(score) AS win_rate,
        count(*) AS n, count(*) FILTER (score = 1) AS wins, count(*) FILTER (score = 0.5) AS ties,
        count(*) FILTER (score = 0) AS losses, count(DISTINCT prompt_id) AS prompts, count(DISTINCT rater) AS raters,
        avg("left"::INTEGER) AS "left"
    FROM votes
    GROUP BY ALL
)
SELECT
    r.run_id, r.question, r.cell, r.against, r.win_rate, i.low, i.high,
    CASE WHEN i.low IS NOT NULL THEN vote_method() END AS method,
    CASE WHEN r.prompts >= 10 AND i.low > 0.5 THEN 'better' WHEN r.prompts >= 10 AND i.high < 0.5 THEN 'worse'
        ELSE 'not shown' END AS verdict,
    r.n, r.wins, r.ties, r.losses, r.prompts, r.raters, r."left"
FROM rates AS r
LEFT JOIN vote_intervals('tallies') AS i
    ON i.run_id = r.run_id AND i.question = r.question AND i.item.cell = r.cell AND i.item.against = r.against
JOIN cells AS c ON c.run_id = r.run_id AND c.cell = r.cell
JOIN cells AS a ON a.run_id = r.run_id AND a.cell = r.against
ORDER BY r.run_id, r.question DESC, a.position, c.position;
