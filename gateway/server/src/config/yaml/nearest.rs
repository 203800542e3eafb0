//! "Did you mean": the known word nearest to a misspelt one.

/// The nearest of `known`, when it is near enough to be what was meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let (distance, best) = known.into_iter().map(|known| (distance(&lower, &known.to_lowercase()), known)).min()?;
    // A third of the letters may be wrong: `servr`, `certificate-file` and `adress` are found, `foo` is not.
    (distance * 3 <= best.chars().count().max(3)).then_some(best)
}

/// The optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, &letter) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &other) in to.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX - 1);
            let substituted = at(&above, column) + usize::from(letter != other);
            let mut best = substituted.min(at(&above, column + 1) + 1).min(at(&current, column) + 1);
            let swapped =
                row > 0 && column > 0 && from.get(row - 1) == Some(&other) && to.get(column - 1) == Some(&letter);
            if swapped {
                best = best.min(at(&before, column - 1) + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_misspelt_word_finds_its_neighbour_and_a_foreign_one_finds_none() {
        let known = ["server", "caFile", "endpoints", "impersonator"];
        assert_eq!(nearest("servr", known), Some("server"));
        assert_eq!(nearest("cafile", known), Some("caFile"));
        assert_eq!(nearest("ednpoints", known), Some("endpoints"));
        assert_eq!(nearest("impersonater", known), Some("impersonator"));
        assert_eq!(nearest("color", known), None);
    }
}
