//! When a run has gone wrong beyond recovery.

use super::stepper::StepReport;
use crate::checkpoint::Progress;
use crate::config::TrainConfig;

/// Steps in a row that must be above the limit before an explosion is called.
const PATIENCE: u32 = 3;

/// Looks at a step before its update; the reason to stop, if there is one. NaN and infinity stop at once, so that they
/// never reach the weights. An explosion is a loss above `explosion_ratio` times the first step's (but at least 1) for
/// three steps: a single hard example is no reason.
pub(crate) fn check(report: &StepReport, progress: &mut Progress, config: &TrainConfig) -> Option<String> {
    let step = progress.step + 1;
    if !report.is_finite() {
        return Some(format!(
            "step {step}: loss {} and gradient norm {} are not finite; try a lower lr than {}",
            report.loss, report.grad_norm, config.lr
        ));
    }
    let first = *progress.first_loss.get_or_insert(report.loss);
    let limit = config.explosion_ratio * first.max(1.0);
    progress.exploded = if report.loss > limit { progress.exploded + 1 } else { 0 };
    (progress.exploded >= PATIENCE).then(|| {
        format!(
            "step {step}: the loss has exploded from {first:.3} to {:.3} (limit {limit:.3}); try a lower lr than {}",
            report.loss, config.lr
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(loss: f64, grad_norm: f64) -> StepReport {
        StepReport { loss, grad_norm, ..Default::default() }
    }

    #[test]
    fn not_finite_stops_at_once() {
        let config = TrainConfig::default();
        let reason = check(&report(f64::NAN, 1.0), &mut Progress::default(), &config).unwrap();
        assert!(reason.starts_with("step 1: loss NaN"), "{reason}");
        assert!(check(&report(1.0, f64::INFINITY), &mut Progress::default(), &config).is_some());
    }

    #[test]
    fn explosion_needs_three_steps_in_a_row() {
        let config = TrainConfig::default();
        let mut progress = Progress::default();
        let losses = [2.0, 30.0, 30.0, 3.0, 30.0, 30.0];
        assert!(losses.iter().all(|l| check(&report(*l, 1.0), &mut progress, &config).is_none()));
        let reason = check(&report(30.0, 1.0), &mut progress, &config).unwrap();
        assert!(reason.contains("exploded from 2.000 to 30.000 (limit 20.000)"), "{reason}");
    }
}
