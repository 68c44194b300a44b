-- Pairs each adaptive cell with the static cell of the same base alpha and beta, blocks, steps, rescaling and generation:
-- one row per unit (see unit_values) with values of one comparability key in both. change: adaptive minus static.
CREATE OR REPLACE VIEW adaptive_pairs AS
WITH known AS MATERIALIZED (FROM unit_values)
SELECT
    a.run_id, a.cell, s.cell AS static_cell, a.alpha, a.beta, a.adapt_alpha, a.adapt_beta,
    adaptive.metric, adaptive.kind, adaptive.unit, adaptive.prompt_id,
    static.value AS static, adaptive.value AS adaptive, adaptive.value - static.value AS change
FROM knobs AS a
JOIN knobs AS s
    ON s.run_id = a.run_id AND s.alpha = a.alpha AND s.beta = a.beta AND s.rescale = a.rescale AND s.blocks = a.blocks
    AND s.window_start = a.window_start AND s.window_end = a.window_end AND s.overrides = a.overrides
JOIN known AS adaptive ON adaptive.run_id = a.run_id AND adaptive.cell = a.cell
JOIN known AS static
    ON static.run_id = s.run_id AND static.cell = s.cell AND static.metric = adaptive.metric
    AND static.kind = adaptive.kind AND static.unit = adaptive.unit AND static.comparability = adaptive.comparability
WHERE a.knob = 'skew' AND s.knob = 'skew' AND a.adaptive AND NOT s.adaptive;
