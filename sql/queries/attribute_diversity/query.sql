-- What do the images of a prompt differ in? Diversity by attribute, for each cell, with its paired change.
--
-- A value is the share of the pairs of a prompt's images that differ in an attribute which the prompt leaves open, such as
-- the colour of `a cup`: from the pixels of scenes, and by zero-shot classification with CLIP for the package's list of
-- prompts and attributes (a distance of two probabilities). The mean is over prompts. change is paired: the same prompts at
-- baseline. Metrics are those whose name is attribute_<seen_by>_<attribute>.
WITH attributes AS (
    SELECT
        *,
        regexp_extract(metric, '^attribute_([a-z0-9]+)_(.+)$', 1) AS seen_by,
        regexp_extract(metric, '^attribute_([a-z0-9]+)_(.+)$', 2) AS attribute
    FROM prompt_metric_values
    WHERE regexp_matches(metric, '^attribute_[a-z0-9]+_.+$') AND isfinite(value)
),
means AS (
    SELECT
        run_id, cell, metric, any_value(seen_by) AS seen_by, any_value(attribute) AS attribute,
        avg(value) AS mean, stddev_samp(value) / sqrt(count(*)) AS error, count(*) AS n, sum(n)::BIGINT AS images
    FROM attributes
    GROUP BY run_id, cell, metric
)
SELECT
    m.run_id, m.cell, m.seen_by, m.attribute, m.metric, m.mean,
    coalesce(i.low, m.mean - z95() * m.error) AS low,
    coalesce(i.high, m.mean + z95() * m.error) AS high,
    coalesce(i.method, CASE WHEN m.error IS NOT NULL THEN normal_method() END) AS method,
    m.n, m.images,
    e.change,
    coalesce(p.low, e.change - z95() * e.error) AS change_low,
    coalesce(p.high, e.change + z95() * e.error) AS change_high,
    e.n AS pairs
FROM means AS m
JOIN cells AS c ON c.run_id = m.run_id AND c.cell = m.cell
LEFT JOIN effects AS e
    ON e.run_id = m.run_id AND e.cell = m.cell AND e.metric = m.metric AND e.kind = 'prompt' AND e.category IS NULL
LEFT JOIN intervals AS i
    ON i.query = 'operating_curve' AND i.statistic = 'mean' AND i.run_id = m.run_id AND i.cell = m.cell
    AND i.metric = m.metric AND i.n = m.n
LEFT JOIN intervals AS p
    ON p.query = 'static_effect' AND p.statistic = 'change' AND p.run_id = m.run_id AND p.cell = m.cell
    AND p.metric = m.metric AND p.n = e.n
ORDER BY m.run_id, m.seen_by DESC, m.attribute, c.position;
