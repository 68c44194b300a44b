-- The regime of each sample (kind sample, unit its pair_id) and prompt (kind prompt, unit its prompt_id), by the
-- stability of the baseline over all blocks: unstable for the share `quantile` of the lowest, stable for the highest.
-- Session variables: quantile (default 0.5, a split at the median), measure (one that has a stable side; default:
-- alignment; its sign is flipped if low is stable, so that low always means unstable), branch.
-- place: the share of units that are at least as unstable. Units between the regimes have regime NULL. So do units with
-- equal values at the edge of a regime, since none of them is less stable than the others.
CREATE OR REPLACE VIEW baseline_regimes AS
WITH
settings AS (
    SELECT
        coalesce(getvariable('quantile')::DOUBLE, 0.5) AS q,
        coalesce(getvariable('measure')::VARCHAR, 'alignment') AS measure
),
checked AS (
    SELECT
        CASE WHEN q > 0 AND q <= 0.5 THEN q
            ELSE error('quantile ' || q || ': more than 0 and at most 0.5') END AS q,
        CASE WHEN measure IN (SELECT answer FROM measures WHERE stable IS NOT NULL) THEN measure
            ELSE error('measure ''' || measure || ''': one of '
                || (SELECT string_agg(answer, ', ') FROM measures WHERE stable IS NOT NULL)) END AS measure
    FROM settings
),
samples_of AS (
    SELECT
        s.run_id, s.prompt_id, s.pair_id, checked.q, checked.measure,
        CASE WHEN m.stable = 'low' THEN -s.value ELSE s.value END AS stability
    FROM long_measures('stage_stability') AS s
    JOIN measures AS m ON m.answer = s.measure
    JOIN runs ON runs.run_id = s.run_id AND runs.baseline = s.cell
    JOIN samples AS ok ON ok.run_id = s.run_id AND ok.sample_id = s.sample_id AND ok.status = 'ok'
    JOIN checked ON checked.measure = s.measure
    WHERE s.stage = 'all' AND isfinite(stability)
),
units AS (
    SELECT run_id, 'sample' AS kind, pair_id AS unit, measure, q, stability FROM samples_of
    UNION ALL
    SELECT run_id, 'prompt', prompt_id, measure, q, avg(stability) FROM samples_of GROUP BY ALL
)
SELECT
    run_id, kind, unit, measure, stability,
    cume_dist() OVER (PARTITION BY run_id, kind ORDER BY stability) AS place,
    cume_dist() OVER (PARTITION BY run_id, kind ORDER BY stability DESC) AS place_from_top,
    CASE WHEN place <= q THEN 'unstable' WHEN place_from_top <= q THEN 'stable' END AS regime
FROM units;
