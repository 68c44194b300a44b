-- How did a search choose its setting? Each trial after each round, and the held-out measurement.
--
-- `skewbench tune` writes these rows into the run of the held-out measurement. Gains are paired by prompt and seed with
-- the baseline of the same round; intervals are clustered by prompt. docs/tune.md explains the rounds and the verdict.
SELECT
    t.run_id, t.step, t.round, t.phase, t.trial, t.words, t.setting AS settings, t.metric, t.gain, t.low, t.high, t.n,
    t.prompts, t.failed, t.feasible, t.bound, t.slack, t.slack_low, t.slack_high, t.chosen, t.verdict, t.reason,
    t.objective, t.measured_in
FROM trials AS t
JOIN runs USING (run_id)
ORDER BY runs.created DESC, t.run_id, t.step;
