-- Macros that several views and queries share.
-- z95: the normal quantile of a two-sided 95% interval.
CREATE OR REPLACE MACRO z95() AS 1.959963984540054;
CREATE OR REPLACE MACRO normal_method() AS 'normal, clustered by prompt, 95%';
-- clustered_error: the standard error of a mean from each cluster's pull on it: the sum of the cluster's residuals by n
-- (Liang-Zeger, with the factor G / (G - 1)). An aggregate over the clusters; `clusters` counts them.
CREATE OR REPLACE MACRO clustered_error(pull, clusters) AS sqrt(sum(pull ** 2) * clusters / nullif(clusters - 1, 0));
-- scorer_key: what computed a value: the scorer, its version, and the package of its environment with its version.
CREATE OR REPLACE MACRO scorer_key(scorer, version, package) AS concat_ws(' ', scorer, version, package);
-- package_order: the numbers of a package's version, by which versions are ordered: 1.10 follows 1.9.
CREATE OR REPLACE MACRO package_order(package) AS try_cast(regexp_extract_all(package, '\d+') AS HUGEINT[]);
-- The order in which rows are shown.
CREATE OR REPLACE MACRO kind_place(kind) AS list_position(['sample', 'prompt', 'measure'], kind);
-- centred_rank: the average rank of a value less the mean of all n ranks, (n + 1) / 2. The average rank is the mean of the
-- first place among equals, rank(), and of the last, the running count: ties as in scipy.stats.rankdata.
CREATE OR REPLACE MACRO centred_rank(first, last, n) AS (first + last - n - 1) / 2;
-- unit_set: a digest of a set of ids, 128 bits: equal where the sets are.
CREATE OR REPLACE MACRO unit_set(unit) AS {
    n: count(*), one: bit_xor(hash(unit)), other: bit_xor(hash(unit || ' '))
};
-- finite: a value, or NULL where it is not finite. It takes COLUMNS too, which an expression may name once alone.
CREATE OR REPLACE MACRO finite(value) AS CASE WHEN isfinite(value) THEN value END;
-- pooled_mean: the mean of values that were summed and counted in several groups.
CREATE OR REPLACE MACRO sum_and_count(value) AS {total: sum(value), n: count(value)};
CREATE OR REPLACE MACRO pooled_mean(sums) AS sum(sums.total) / nullif(sum(sums.n), 0);
-- long_measures: rows with a column a measure (by the name of a table expression that holds them) as a row a measure:
-- measure and value are those of answers, so that energy is neg_energy with the other sign.
CREATE OR REPLACE MACRO long_measures(rows) AS TABLE
SELECT long.* EXCLUDE (measure_column, raw), measures.answer AS measure, measures.sign * raw AS value
FROM (
    UNPIVOT (FROM query_table(rows))
    ON COLUMNS(lambda name: list_contains(answered_measures(), name)) INTO NAME measure_column VALUE raw
) AS long
JOIN measures ON measures.name = measure_column;
-- is_asked: whether a row of `stability` is of the session's branch, or, if none is chosen, of one that guidance has: the
-- rows of a weak branch, which is a further evaluation of cond under a knob, are of no sample's mean.
CREATE OR REPLACE MACRO is_asked(branch) AS
    coalesce(branch = getvariable('branch')::VARCHAR, branch IN ('cond', 'uncond'));
-- block_means: the mean of each measure's finite values by cell, block and step, of rows of `stability` with a step.
-- n: samples. A sample has a row a branch, so n is the largest count of a branch (to count ids takes several times as long).
CREATE OR REPLACE MACRO block_means(rows) AS TABLE
WITH
finite_rows AS (
    SELECT
        run_id, cell, block, block_name, stage, step, branch,
        finite(COLUMNS(lambda name: list_contains(answered_columns(), name)))
    FROM query_table(rows)
    WHERE is_asked(branch)
),
by_branch AS (
    SELECT
        run_id, cell, block, step, branch, any_value(block_name) AS block_name, any_value(stage) AS stage, count(*) AS n,
        sum_and_count(COLUMNS(lambda name: list_contains(answered_columns(), name)))
    FROM finite_rows
    GROUP BY run_id, cell, block, step, branch
)
SELECT
    run_id, cell, block, any_value(block_name) AS block_name, any_value(stage) AS stage, step,
    pooled_mean(COLUMNS(lambda name: list_contains(answered_columns(), name))),
    max(n) AS n
FROM by_branch
GROUP BY run_id, cell, block, step;
