//! The same items without criterion, for a comparison with another program that takes turns with this one.
//!
//! `cargo bench --bench compare -- fits matmul_f32` prints a line for each item whose group or name contains one
//! of the words (all of them without words): name, median seconds, fastest, number of samples, iterations and
//! evaluations of a fit. `--names` lists groups and items. With `--serve` it reads lines `<name> <seconds to
//! spend>` and answers each with such a line; that is how `compare.py` drives it.

mod work;

use std::io::{BufRead, Write};
use std::time::{Duration, Instant};
use work::{Item, Run};

/// Runs that are timed together last this long at least, so that the clock costs nothing.
const SAMPLE: Duration = Duration::from_micros(200);
const ALONE: Duration = Duration::from_millis(200);

fn main() -> std::io::Result<()> {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let items = work::items();
    if words.iter().any(|word| word == "--names") {
        items.iter().for_each(|item| println!("{} {}", item.group, item.name));
        return Ok(());
    }
    if words.iter().any(|word| word == "--serve") {
        return serve(&items);
    }
    for item in &items {
        let named = |word: &String| item.group.contains(word.as_str()) || item.name.contains(word.as_str());
        if words.is_empty() || words.iter().any(named) {
            println!("{}", measure(item, &mut (item.prepare)(), ALONE));
        }
    }
    Ok(())
}

/// Answers requests until the input ends. An item stays prepared as long as it is asked for.
fn serve(items: &[Item]) -> std::io::Result<()> {
    let mut prepared: Option<(&Item, Run)> = None;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let request = line.split_once(' ').and_then(|(name, seconds)| {
            let item = items.iter().find(|item| item.name == name)?;
            Some((item, Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?))
        });
        let Some((item, budget)) = request else {
            println!("unknown");
            continue;
        };
        if prepared.as_ref().is_none_or(|(present, _)| present.name != item.name) {
            drop(prepared.take());
            prepared = Some((item, (item.prepare)()));
        }
        let (item, run) = prepared.as_mut().expect("it has just been prepared");
        println!("{}", measure(item, run, budget));
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// Repeats a run for about `budget` and says what one part of it takes.
fn measure(item: &Item, run: &mut Run, budget: Duration) -> String {
    let start = Instant::now();
    let counts = run();
    let runs = (SAMPLE.as_secs_f64() / start.elapsed().as_secs_f64().max(1e-9)).ceil() as u32;
    let mut samples = Vec::new();
    let begin = Instant::now();
    while samples.len() < 3 || begin.elapsed() < budget {
        let start = Instant::now();
        for _ in 0..runs {
            run();
        }
        samples.push(start.elapsed().as_secs_f64() / f64::from(runs * item.parts));
    }
    samples.sort_by(f64::total_cmp);
    let mut line = format!("{} {:.4e} {:.4e} {}", item.name, samples[samples.len() / 2], samples[0], samples.len());
    if let Some((iterations, evaluations)) = counts {
        line += &format!(" {iterations} {evaluations}");
    }
    line
}
