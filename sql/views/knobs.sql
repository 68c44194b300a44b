-- The cells with their knob's settings as columns, from the manifest: also of cells that have no sample yet.
-- family: settings that differ in strength alone (alpha and beta, or tau) are one family: baseline, static, adaptive,
-- temperature; one that leaves out the rescaling, or covers some blocks or steps alone, is a family of its own.
CREATE OR REPLACE VIEW knobs AS
WITH parsed AS (
    SELECT
        run_id, cell, position, baseline, knob, settings,
        (settings->>'alpha')::DOUBLE AS alpha,
        CASE WHEN knob = 'skew' THEN coalesce((settings->>'beta')::DOUBLE, 1) END AS beta,
        (settings->>'tau')::DOUBLE AS tau,
        coalesce(settings->>'adapt_alpha', 'off') AS adapt_alpha,
        coalesce((settings->>'adapt_beta')::BOOLEAN, false) AS adapt_beta,
        coalesce(settings->>'rescale', 'norm') AS rescale,
        coalesce(settings->>'blocks', 'all') AS blocks,
        coalesce((settings->'window'->>0)::DOUBLE, 0) AS window_start,
        coalesce((settings->'window'->>1)::DOUBLE, 1) AS window_end
    FROM cells
)
SELECT
    *,
    adapt_alpha <> 'off' OR adapt_beta AS adaptive,
    concat_ws(
        ', ',
        CASE
            WHEN knob = 'vanilla' THEN 'baseline' WHEN knob <> 'skew' THEN knob
            WHEN adapt_alpha <> 'off' OR adapt_beta THEN 'adaptive' ELSE 'static' END,
        CASE WHEN knob = 'skew' AND rescale = 'off' THEN 'no rescale' END,
        CASE WHEN blocks <> 'all' THEN 'blocks ' || blocks END,
        CASE WHEN window_start > 0 OR window_end < 1 THEN 'steps ' || window_start || ' to ' || window_end END
    ) AS family
FROM parsed;
