//! Throw-away: boots one job through the lab.
use engine::jobs::BootJob;
use engine::labs::{Lab, QemuLab};
use std::time::{Duration, Instant};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let qemu: engine::model::QemuMachine = serde_json::from_str(&a[1]).unwrap();
    let job = BootJob {
        board: "b".into(),
        qemu,
        kernel: a[2].clone().into(),
        root: a[3].clone().into(),
        dtb: a.get(5).map(|d| d.clone().into()),
        silence: Duration::from_secs(60),
        total: Duration::from_secs(240),
    };
    let mut log = std::fs::File::create(&a[4]).unwrap();
    let start = Instant::now();
    match QemuLab::default().boot(&job, &mut log, &|| false) {
        Err(e) => println!("{} ERROR {e}", a[4]),
        Ok(b) => {
            let f: Vec<_> = b
                .results
                .tests
                .iter()
                .filter(|t| format!("{:?}", t.result) != "Pass")
                .map(|t| format!("{:?} {} {}", t.result, t.name, t.detail))
                .collect();
            println!(
                "{} {:?} {:?} {:.1}s machine={} warnings={} tests={} kernel={:?}\n   reason={:?} failures={:?}\n   {f:?}",
                a[4],
                b.results.verdict,
                b.end,
                start.elapsed().as_secs_f64(),
                b.machine,
                b.results.warnings,
                b.results.tests.len(),
                b.results.kernel_version,
                b.results.reason,
                b.results.failures
            );
        }
    }
}
