use std::collections::BTreeSet;

/// Which columns of some rows anybody looks at, by index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Every one.
    All,
    /// These.
    Only(BTreeSet<usize>),
}

impl Wanted {
    /// Not a single one.
    pub fn nothing() -> Self {
        Wanted::Only(BTreeSet::new())
    }

    /// Whether the column at `index` is looked at.
    pub fn has(&self, index: usize) -> bool {
        match self {
            Wanted::All => true,
            Wanted::Only(columns) => columns.contains(&index),
        }
    }

    /// Whether no column is looked at.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Wanted::Only(columns) if columns.is_empty())
    }

    /// These, and others.
    #[must_use]
    pub fn and(self, others: Wanted) -> Self {
        match (self, others) {
            (Wanted::Only(mut columns), Wanted::Only(others)) => {
                columns.extend(others);
                Wanted::Only(columns)
            }
            _ => Wanted::All,
        }
    }

    /// What has to be looked at for these columns, if `of` says it for each, and there are `count` of them.
    pub(crate) fn through(&self, count: usize, of: impl Fn(usize) -> Wanted) -> Self {
        (0..count).filter(|column| self.has(*column)).map(of).fold(Wanted::nothing(), Wanted::and)
    }
}

impl FromIterator<usize> for Wanted {
    fn from_iter<I: IntoIterator<Item = usize>>(columns: I) -> Self {
        Wanted::Only(columns.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_columns_and_others_are_all() {
        let one: Wanted = [1].into_iter().collect();
        assert_eq!(one.clone().and([3].into_iter().collect()), [1, 3].into_iter().collect());
        assert_eq!(one.clone().and(Wanted::All), Wanted::All);
        assert!(!one.has(0) && one.has(1) && Wanted::All.has(7) && Wanted::nothing().is_nothing());
    }
}
