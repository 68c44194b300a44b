-- What several views and queries share.
-- z95: the normal quantile of a two-sided 95% interval.
CREATE OR REPLACE MACRO z95() AS 1.959963984540054;
CREATE OR REPLACE MACRO normal_method() AS 'normal, clustered by prompt, 95%';
-- clustered_error: the standard error of a mean from each cluster's pull on it: the sum of the cluster's residuals by n
-- (Liang-Zeger, with the factor G / (G - 1)). An aggregate over the clusters; `clusters` counts them.
CREATE OR REPLACE MACRO clustered_error(pull, clusters) AS sqrt(sum(pull ** 2) * clusters / nullif(clusters - 1, 0));
-- The order in which rows are shown.
CREATE OR REPLACE MACRO stage_place(stage) AS list_position(['down', 'mid', 'up', 'all'], stage);
CREATE OR REPLACE MACRO measure_place(measure) AS
    list_position(['neg_energy', 'instability', 'alignment', 'symmetry'], measure);
CREATE OR REPLACE MACRO kind_place(kind) AS list_position(['sample', 'prompt', 'measure'], kind);
-- centred_rank: the average rank of a value less the mean of all n ranks, (n + 1) / 2. The average rank is the mean of the
-- first place among equals, rank(), and of the last, the running count: ties as in scipy.stats.rankdata.
CREATE OR REPLACE MACRO centred_rank(first, last, n) AS (first + last - n - 1) / 2;
-- unit_set: a digest of a set of ids, 128 bits: equal where the sets are.
CREATE OR REPLACE MACRO unit_set(unit) AS {
    n: count(*), one: bit_xor(hash(unit)), other: bit_xor(hash(unit || ' '))
};
-- block_means: the mean of each measure's finite values by cell, block and step, of rows of `stability` with a step.
-- n: samples. A sample has a row a branch, so n is the largest count of a branch (to count ids takes several times as long).
CREATE OR REPLACE MACRO block_means(rows) AS TABLE
WITH
finite AS (
    SELECT
        run_id, cell, block, block_name, stage, step, branch,
        CASE WHEN isfinite(energy) THEN energy END AS energy,
        CASE WHEN isfinite(instability) THEN instability END AS instability,
        CASE WHEN isfinite(alignment) THEN alignment END AS alignment,
        CASE WHEN isfinite(symmetry) THEN symmetry END AS symmetry,
        CASE WHEN isfinite(alpha_eff) THEN alpha_eff END AS alpha_eff,
        CASE WHEN isfinite(beta_eff) THEN beta_eff END AS beta_eff
    FROM query_table(rows)
    WHERE getvariable('branch')::VARCHAR IS NULL OR branch = getvariable('branch')::VARCHAR
),
by_branch AS (
    SELECT
        run_id, cell, block, step, branch, any_value(block_name) AS block_name, any_value(stage) AS stage, count(*) AS n,
        avg(energy) AS energy, count(energy) AS energy_n,
        avg(instability) AS instability, count(instability) AS instability_n,
        avg(alignment) AS alignment, count(alignment) AS alignment_n,
        avg(symmetry) AS symmetry, count(symmetry) AS symmetry_n,
        avg(alpha_eff) AS alpha_eff, count(alpha_eff) AS alpha_eff_n,
        avg(beta_eff) AS beta_eff, count(beta_eff) AS beta_eff_n
    FROM finite
    GROUP BY run_id, cell, block, step, branch
)
SELECT
    run_id, cell, block, any_value(block_name) AS block_name, any_value(stage) AS stage, step,
    sum(energy * energy_n) / nullif(sum(energy_n), 0) AS energy,
    sum(instability * instability_n) / nullif(sum(instability_n), 0) AS instability,
    sum(alignment * alignment_n) / nullif(sum(alignment_n), 0) AS alignment,
    sum(symmetry * symmetry_n) / nullif(sum(symmetry_n), 0) AS symmetry,
    sum(alpha_eff * alpha_eff_n) / nullif(sum(alpha_eff_n), 0) AS alpha_eff,
    sum(beta_eff * beta_eff_n) / nullif(sum(beta_eff_n), 0) AS beta_eff,
    max(n) AS n
FROM by_branch
GROUP BY run_id, cell, block, step;
