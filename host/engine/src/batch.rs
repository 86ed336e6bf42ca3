use arrow::{array::RecordBatch, buffer::BooleanBuffer};
use std::{fmt, sync::Arc};

/// Rows on their way through the plan, and where they came from.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The rows.
    pub rows: RecordBatch,
    /// Where each of them was in its source.
    pub origin: Origin,
}

/// Where the rows of a batch were in their source.
///
/// It costs nothing per row: a read states the place of a run of rows once, and a step that drops rows adds the
/// bitmap it made anyway. A row's position is worked out only when somebody asks, for an error or a dead letter.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
struct Piece {
    rows: usize,
    place: Place,
    /// Filters applied since the read, oldest first; each has as many set bits as the next one has bits.
    kept: Vec<BooleanBuffer>,
}

/// A run of rows in a source.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// Row `i` of the run is unit `first + i` of `of`: a line of a file, a row of a Parquet file, an offset of a topic.
    At {
        /// The file, or `topic/partition`.
        of: Arc<str>,
        /// What `first` counts: `line`, `row`, `offset`.
        unit: &'static str,
        /// The position of the first row, in the unit's own counting.
        first: u64,
    },
    /// Somewhere from unit `first` to unit `last` of `of`: after a step that made new rows.
    Within {
        /// As for `At`.
        of: Arc<str>,
        /// As for `At`.
        unit: &'static str,
        /// The first unit.
        first: u64,
        /// The last unit, inclusive.
        last: u64,
    },
    /// Nothing is known but the epoch.
    Epoch,
}

/// Where one row was in its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file or topic partition; none if only the epoch is known.
    pub of: Option<Arc<str>>,
    /// What `first` and `last` count.
    pub unit: &'static str,
    /// First possible unit.
    pub first: u64,
    /// Last possible unit; equal to `first` if the row is known exactly.
    pub last: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.of, self.first == self.last) {
            (Some(of), true) => write!(f, "{of}, {} {}", self.unit, self.first),
            (Some(of), false) => write!(f, "{of}, {}s {}-{}", self.unit, self.first, self.last),
            (None, _) => f.write_str("a row of this epoch"),
        }
    }
}

impl Batch {
    /// Rows that a source read at `place`.
    pub fn read(rows: RecordBatch, place: Place) -> Self {
        let origin = Origin::at(place, rows.num_rows());
        Batch { rows, origin }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.num_rows()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Origin {
    /// A run of `rows` rows at `place`.
    pub fn at(place: Place, rows: usize) -> Self {
        Origin { pieces: vec![Piece { rows, place, kept: Vec::new() }] }
    }

    /// How many rows it speaks of.
    pub fn rows(&self) -> usize {
        self.pieces.iter().map(|p| p.rows).sum()
    }

    /// The rows of `self`, then those of `next`.
    pub fn then(mut self, next: Origin) -> Self {
        self.pieces.extend(next.pieces);
        self
    }

    /// The rows whose bit is set. `bits` has one bit a row.
    pub fn keep(&self, bits: &BooleanBuffer) -> Self {
        let mut at = 0;
        let mut pieces = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            let here = bits.slice(at, piece.rows);
            at += piece.rows;
            let rows = here.count_set_bits();
            if rows == 0 {
                continue;
            }
            let mut piece = Piece { rows, ..piece.clone() };
            if rows < here.len() {
                piece.kept.push(here);
            }
            pieces.push(piece);
        }
        Origin { pieces }
    }

    /// `length` rows from row `offset` on.
    pub fn slice(&self, offset: usize, length: usize) -> Self {
        let bits: BooleanBuffer = (0..self.rows()).map(|i| i >= offset && i < offset + length).collect();
        self.keep(&bits)
    }

    /// `rows` new rows, of which only is known that they were made from these.
    pub fn made_from(&self, rows: usize) -> Self {
        if rows == 0 {
            return Origin::default();
        }
        let place = match self.span() {
            Some(Position { of: Some(of), unit, first, last }) => Place::Within { of, unit, first, last },
            _ => Place::Epoch,
        };
        Origin::at(place, rows)
    }

    /// Where row `row` was.
    pub fn position(&self, row: usize) -> Position {
        let mut row = row;
        for piece in &self.pieces {
            if row < piece.rows {
                return piece.position(row);
            }
            row -= piece.rows;
        }
        Position::UNKNOWN
    }

    /// The smallest stretch that all rows lie in, if they come from one file or topic partition.
    pub fn span(&self) -> Option<Position> {
        let mut ends =
            self.pieces.iter().filter(|p| p.rows > 0).flat_map(|p| [p.position(0), p.position(p.rows - 1)]);
        let first = ends.next()?;
        ends.try_fold(first, |all, p| {
            (all.of == p.of && all.unit == p.unit).then(|| Position {
                first: all.first.min(p.first),
                last: all.last.max(p.last),
                ..p
            })
        })
    }
}

impl Position {
    const UNKNOWN: Position = Position { of: None, unit: "", first: 0, last: 0 };
}

impl Piece {
    fn position(&self, row: usize) -> Position {
        let row =
            self.kept.iter().rev().fold(row, |row, bits| bits.set_indices().nth(row).unwrap_or(row)) as u64;
        match &self.place {
            Place::At { of, unit, first } => {
                Position { of: Some(of.clone()), unit, first: first + row, last: first + row }
            }
            Place::Within { of, unit, first, last } => {
                Position { of: Some(of.clone()), unit, first: *first, last: *last }
            }
            Place::Epoch => Position::UNKNOWN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(first: u64, rows: usize) -> Origin {
        Origin::at(Place::At { of: "a.json".into(), unit: "line", first }, rows)
    }

    #[test]
    fn a_position_survives_filters_and_joining() {
        let odd: BooleanBuffer = (0..6).map(|i| i % 2 == 1).collect();
        let joined = lines(1, 6).keep(&odd).then(lines(10, 2));
        assert_eq!(joined.rows(), 5);
        assert_eq!((0..5).map(|i| joined.position(i).first).collect::<Vec<_>>(), [2, 4, 6, 10, 11]);
        let again = joined.keep(&[false, true, false, false, true].into_iter().collect());
        assert_eq!((0..2).map(|i| again.position(i).first).collect::<Vec<_>>(), [4, 11]);
        assert_eq!(again.slice(1, 1).position(0).to_string(), "a.json, line 11");
    }

    #[test]
    fn new_rows_know_the_stretch_they_were_made_from() {
        let made = lines(3, 4).made_from(9);
        assert_eq!(made.position(8).to_string(), "a.json, lines 3-6");
        let mixed = lines(3, 4).then(Origin::at(Place::Epoch, 1)).made_from(2);
        assert_eq!(mixed.position(0).to_string(), "a row of this epoch");
    }
}
