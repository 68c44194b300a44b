-- Intervals of means over votes, by the pigeonhole bootstrap: prompts and raters are resampled independently, and a vote
-- counts as often as its prompt was drawn times its rater. It allows for prompts on which all raters agree, and for raters
-- of one taste, and is conservative for other noise (Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1, 2007).
-- With one rater only prompts are resampled, and the interval says nothing of other raters.
CREATE OR REPLACE MACRO vote_resamples() AS 1000;
CREATE OR REPLACE MACRO vote_method() AS 'bootstrap of prompts and raters, 1000 resamples, 95%';
-- vote_draws: how often each prompt and each rater of a run's votes is drawn in each resample; none: no row. The draws
-- follow from hashes, so that an answer is the same each time.
CREATE OR REPLACE VIEW vote_draws AS
WITH
units AS (
    SELECT DISTINCT run_id, question, 'prompt' AS kind, prompt_id AS unit FROM votes
    UNION ALL
    SELECT DISTINCT run_id, question, 'rater', rater FROM votes
),
placed AS MATERIALIZED (
    SELECT
        *,
        row_number() OVER (PARTITION BY run_id, question, kind ORDER BY unit) - 1 AS place,
        count(*) OVER (PARTITION BY run_id, question, kind) AS units
    FROM units
),
drawn AS (
    SELECT
        run_id, question, kind, resample, (hash(concat_ws(' ', kind, resample, place)) % units)::BIGINT AS place,
        count(*) AS drawn
    FROM placed CROSS JOIN range(vote_resamples()) AS all_resamples (resample)
    GROUP BY ALL
)
SELECT run_id, question, kind, unit, resample, drawn FROM drawn JOIN placed USING (run_id, question, kind, place);
-- vote_intervals: the ends of the intervals, given the name of a table expression with the votes summed by run_id, question,
-- item (that of which a mean is taken), prompt_id and rater: total, n. NULL where all votes are of one prompt.
CREATE OR REPLACE MACRO vote_intervals(tallies) AS TABLE
WITH
known AS (
    SELECT *, count(DISTINCT prompt_id) OVER (PARTITION BY run_id, question, item) AS prompts FROM query_table(tallies)
),
means AS (
    SELECT
        t.run_id, t.question, t.item, p.resample,
        sum(p.drawn * r.drawn * t.total) / sum(p.drawn * r.drawn * t.n) AS mean
    FROM known AS t
    JOIN vote_draws AS p
        ON p.run_id = t.run_id AND p.question = t.question AND p.kind = 'prompt' AND p.unit = t.prompt_id
    JOIN vote_draws AS r
        ON r.run_id = t.run_id AND r.question = t.question AND r.kind = 'rater' AND r.unit = t.rater
        AND r.resample = p.resample
    WHERE t.prompts > 1
    GROUP BY t.run_id, t.question, t.item, p.resample
)
SELECT run_id, question, item, quantile_cont(mean, 0.025) AS low, quantile_cont(mean, 0.975) AS high
FROM means
GROUP BY run_id, question, item
HAVING count(*) * 2 >= vote_resamples();
