//! Learning rate over a run.

/// Cosine decay without warm-up: `peak · ½(1 + cos(π · step / total))`, `step` counted from 0 (Hugging Face's
/// `cosine` with `warmup_steps = 0`). A run of no steps, or a step beyond the end, gives 0.
pub fn cosine(peak: f64, step: u64, total: u64) -> f64 {
    if step >= total {
        return 0.0;
    }
    peak * 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / total as f64).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_rates_that_transformers_logged() {
        let logged = [
            0.0005,
            0.0004877641290737884,
            0.0004522542485937369,
            0.0003969463130731183,
            0.00032725424859373687,
            0.00025,
            0.00017274575140626317,
            0.00010305368692688174,
            4.7745751406263163e-05,
            1.2235870926211617e-05,
        ];
        for (step, rate) in logged.into_iter().enumerate() {
            assert!((cosine(5e-4, step as u64, 10) - rate).abs() < 1e-12, "step {step}");
        }
        assert_eq!(cosine(5e-4, 10, 10), 0.0);
    }
}
