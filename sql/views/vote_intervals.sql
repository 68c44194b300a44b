-- Intervals of means over votes, clustered by prompt and by rater. The variance is that of the pigeonhole bootstrap, which
-- draws prompts and raters independently and counts a vote as often as its prompt was drawn times its rater (Owen, The
-- pigeonhole bootstrap, Annals of Applied Statistics 1(2), 2007). It has a closed form, so nothing is drawn. It allows for
-- prompts on which raters agree and for raters of one taste, and is conservative for noise of single votes. With one rater
-- it is clustered by prompt alone, and says nothing of other raters.
-- The ends are Wilson's, with as many votes as have this variance if they are independent: they stay within 0 and 1, and
-- votes that are all alike count as one a prompt (Dean, Pagano, Journal of Survey Statistics and Methodology 3(4), 2015).
CREATE OR REPLACE MACRO vote_method() AS 'Wilson, clustered by prompt and rater, 95%';
-- wilson: one end of the interval, for a mean over n independent votes; sign: -1 or 1.
CREATE OR REPLACE MACRO wilson(mean, n, sign) AS
    (mean + z95() ** 2 / (2 * n) + sign * z95() * sqrt(mean * (1 - mean) / n + (z95() / (2 * n)) ** 2))
    / (1 + z95() ** 2 / n);
-- vote_intervals: the intervals, given the name of a table expression with the votes summed by run_id, question, item (that
-- of which a mean is taken), prompt_id and rater: total, n. NULL where all votes are of one prompt.
CREATE OR REPLACE MACRO vote_intervals(tallies) AS TABLE
WITH
means AS (
    SELECT
        run_id, question, item, sum(total) / sum(n) AS mean, sum(n) AS n,
        count(DISTINCT prompt_id) AS prompts, count(DISTINCT rater) AS raters
    FROM query_table(tallies)
    GROUP BY run_id, question, item
),
-- the pull of each prompt and rater on the mean
pulls AS MATERIALIZED (
    SELECT run_id, question, item, prompt_id, rater, (t.total - m.mean * t.n) / m.n AS pull
    FROM query_table(tallies) AS t
    JOIN means AS m USING (run_id, question, item)
),
by_prompt AS (SELECT run_id, question, item, sum(pull) AS pull FROM pulls GROUP BY run_id, question, item, prompt_id),
by_rater AS (SELECT run_id, question, item, sum(pull) AS pull FROM pulls GROUP BY run_id, question, item, rater),
squares AS (
    SELECT run_id, question, item, sum(pull ** 2) AS each, 0 AS prompts, 0 AS raters FROM pulls GROUP BY ALL
    UNION ALL
    SELECT run_id, question, item, 0, sum(pull ** 2), 0 FROM by_prompt GROUP BY ALL
    UNION ALL
    SELECT run_id, question, item, 0, 0, sum(pull ** 2) FROM by_rater GROUP BY ALL
),
variances AS (
    SELECT
        run_id, question, item, any_value(m.mean) AS mean, any_value(m.prompts) AS prompts,
        sum(s.each + s.prompts * (1 - 1 / m.raters) + s.raters * (1 - 1 / m.prompts)) AS variance
    FROM squares AS s
    JOIN means AS m USING (run_id, question, item)
    GROUP BY run_id, question, item
),
-- rounding leaves a variance of about 1e-33 where it is 0
sizes AS (
    SELECT
        run_id, question, item, mean, variance,
        CASE WHEN variance < 1e-20 THEN prompts ELSE mean * (1 - mean) / variance END AS n
    FROM variances
    WHERE prompts > 1
)
SELECT run_id, question, item, sqrt(variance) AS error, wilson(mean, n, -1) AS low, wilson(mean, n, 1) AS high FROM sizes;
