//! The table: a line a figure, beside its bar and its reference.

use crate::load::Outcome;

pub(crate) fn head() {
    println!("{:<44} {:>11} {:>9} {:>9} {:>12}  bar and reference", "work", "rate", "p50", "p99", "server CPU");
}

/// Requests per second and CPU per request.
pub(crate) fn requests(work: &str, outcome: &Outcome, reference: Option<&Outcome>, bar: &str) {
    let ratio = reference.map(|reference| format!("; {:.2} of the null server", outcome.rate() / reference.rate()));
    println!(
        "{work:<44} {:>9.0}/s {:>6.2} ms {:>6.2} ms {:>9.1} us  {bar}{}",
        outcome.rate(),
        outcome.percentile_ms(50),
        outcome.percentile_ms(99),
        outcome.cpu_us(),
        ratio.unwrap_or_default()
    );
}

/// MiB per second and CPU per MiB.
pub(crate) fn transfer(work: &str, outcome: &Outcome, reference: Option<&Outcome>, bar: &str) {
    let rate = |outcome: &Outcome| outcome.mib() / outcome.took.as_secs_f64();
    let ratio = reference.map(|reference| format!("; {:.2} of the null server", rate(outcome) / rate(reference)));
    println!(
        "{work:<44} {:>5.0} MiB/s {:>6.1} ms {:>6.1} ms {:>6.2} ms/MiB  {bar}{}",
        rate(outcome),
        outcome.percentile_ms(50),
        outcome.percentile_ms(99),
        outcome.cpu.as_secs_f64() * 1e3 / outcome.mib().max(f64::MIN_POSITIVE),
        ratio.unwrap_or_default()
    );
}

/// One number.
pub(crate) fn figure(work: &str, measured: &str, bar: &str) {
    println!("{work:<44} {measured:>44}  {bar}");
}
