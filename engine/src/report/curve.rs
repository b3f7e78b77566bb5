//! Counts that grow, as lines of an SVG picture.

use std::fmt::Write as _;

/// One line: its values at 1, 2, 3, …
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is of.
    pub name: String,
    /// The values.
    pub values: Vec<usize>,
}

const WIDTH: usize = 720;
const HEIGHT: usize = 360;
/// Left of the lines, and below them.
const MARGIN: usize = 56;
/// Above the lines.
const TOP: usize = 16;
/// Told apart by those who see colours otherwise too (Okabe and Ito, 2008).
const COLOURS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000",
];

/// Draws lines over one axis of numbers and one of values, each with its name and last value at its side.
pub fn curves(lines: &[Line]) -> String {
    let most = lines.iter().flat_map(|line| line.values.iter().copied());
    let most = most.max().unwrap_or(0).max(1);
    let count = lines
        .iter()
        .map(|line| line.values.len())
        .max()
        .unwrap_or(0)
        .max(2);
    let x = |index: usize| MARGIN + index * (WIDTH - MARGIN) / (count - 1);
    let y = |value: usize| TOP + HEIGHT - value * HEIGHT / most;
    let (right, bottom) = (WIDTH + 300, TOP + HEIGHT + 40);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{right}\" height=\"{bottom}\" viewBox=\"0 0 {right} {bottom}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for part in 0..=4 {
        let value = most * part / 4;
        let at = y(value);
        let _ = writeln!(
            svg,
            "<path d=\"M{MARGIN} {at}H{WIDTH}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{value}</text>",
            MARGIN - 6,
            at + 4
        );
    }
    let below = TOP + HEIGHT + 18;
    let _ = writeln!(
        svg,
        "<text x=\"{MARGIN}\" y=\"{below}\">1</text><text x=\"{WIDTH}\" y=\"{below}\" text-anchor=\"end\">{count} kernels</text>"
    );
    for (index, line) in lines.iter().enumerate() {
        let Some(last) = line.values.last() else {
            continue;
        };
        let colour = COLOURS[index % COLOURS.len()];
        // A second round of colours is dashed.
        let dash = if index < COLOURS.len() {
            ""
        } else {
            " stroke-dasharray=\"6 3\""
        };
        let points = line.values.iter().enumerate();
        let points: Vec<String> = points
            .map(|(index, value)| format!("{},{}", x(index), y(*value)))
            .collect();
        let name = escaped(&line.name);
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dash}><title>{name}: {last}</title></polyline>",
            points.join(" ")
        );
        let beside = TOP + 12 + index * 18;
        let _ = writeln!(
            svg,
            "<path d=\"M{} {}h18\" stroke=\"{colour}\" stroke-width=\"2\"{dash}/><text x=\"{}\" y=\"{beside}\">{name}: {last}</text>",
            WIDTH + 12,
            beside - 4,
            WIDTH + 36
        );
    }
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_their_names_and_last_values() {
        let line = |name: &str, values: &[usize]| Line {
            name: name.to_owned(),
            values: values.to_vec(),
        };
        let picture = curves(&[
            line("a<b built", &[10, 40, 80]),
            line("empty", &[]),
            line("c", &[8]),
        ]);
        insta::assert_snapshot!(picture, @r##"
        <svg xmlns="http://www.w3.org/2000/svg" width="1020" height="416" viewBox="0 0 1020 416" font-family="sans-serif" font-size="12">
        <rect width="100%" height="100%" fill="white"/>
        <path d="M56 376H720" stroke="#ddd"/><text x="50" y="380" text-anchor="end">0</text>
        <path d="M56 286H720" stroke="#ddd"/><text x="50" y="290" text-anchor="end">20</text>
        <path d="M56 196H720" stroke="#ddd"/><text x="50" y="200" text-anchor="end">40</text>
        <path d="M56 106H720" stroke="#ddd"/><text x="50" y="110" text-anchor="end">60</text>
        <path d="M56 16H720" stroke="#ddd"/><text x="50" y="20" text-anchor="end">80</text>
        <text x="56" y="394">1</text><text x="720" y="394" text-anchor="end">3 kernels</text>
        <polyline points="56,331 388,196 720,16" fill="none" stroke="#0072b2" stroke-width="2"><title>a&lt;b built: 80</title></polyline>
        <path d="M732 24h18" stroke="#0072b2" stroke-width="2"/><text x="756" y="28">a&lt;b built: 80</text>
        <polyline points="56,340" fill="none" stroke="#009e73" stroke-width="2"><title>c: 8</title></polyline>
        <path d="M732 60h18" stroke="#009e73" stroke-width="2"/><text x="756" y="64">c: 8</text>
        </svg>
        "##);
    }

    #[test]
    fn nothing_is_a_picture_too() {
        assert!(curves(&[]).starts_with("<svg"));
    }
}
