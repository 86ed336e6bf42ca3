//! Quantiles of numbers that are not all kept, by Greenwald and Khanna: "Space-efficient online computation of quantile
//! summaries" (2001). As long as nothing had to be left out the answers are exact.

/// So many new numbers are gathered before they are sorted in.
const GATHERED: usize = 10_000;
/// More samples than these are thinned out.
const SAMPLES: usize = 10_000;

/// One of the numbers, which stands for some below it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) value: f64,
    /// How many numbers it stands for, itself included: the least rank it may have is the sum of these up to it.
    pub(super) weight: u64,
    /// By how much its rank may be higher.
    pub(super) slack: u64,
}

/// Numbers, of which every quantile is known up to a share of their count.
#[derive(Clone, Debug)]
pub(super) struct Summary {
    error: f64,
    /// By value.
    samples: Vec<Sample>,
    count: u64,
    gathered: Vec<f64>,
}

impl Summary {
    /// Of no number yet; a quantile's rank will be wrong by at most `error` × count.
    pub(super) fn new(error: f64) -> Self {
        Summary { error, samples: Vec::new(), count: 0, gathered: Vec::new() }
    }

    pub(super) fn insert(&mut self, value: f64) {
        self.gathered.push(value);
        if self.gathered.len() >= GATHERED {
            self.sort_in();
            self.thin_out();
        }
    }

    /// Its samples, from which [`Summary::merge`] makes the same again.
    pub(super) fn samples(&mut self) -> &[Sample] {
        self.sort_in();
        &self.samples
    }

    /// Adds the samples of another summary of the same error.
    pub(super) fn merge(&mut self, other: &[Sample]) {
        self.sort_in();
        let count: u64 = other.iter().map(|sample| sample.weight).sum();
        // Among the others' numbers the rank of a sample is as uncertain as their own are.
        let slack = [self.allowed(count), self.allowed(self.count)];
        let own = std::mem::take(&mut self.samples);
        self.samples = merged([&own, other], slack);
        self.count += count;
        self.thin_out();
    }

    /// The number of which at least this share of all, from 0 to 1, is not larger; none without any number.
    pub(super) fn quantile(&mut self, share: f64) -> Option<f64> {
        self.sort_in();
        if share <= self.error {
            return self.samples.first().map(|sample| sample.value);
        }
        if share < 1.0 - self.error {
            let rank = (share * self.count as f64).ceil() as u64;
            let tolerance = self.samples.iter().map(|sample| sample.weight + sample.slack).max()? / 2;
            let mut least = 0;
            for sample in &self.samples {
                least += sample.weight;
                if least + sample.slack <= rank + tolerance && rank <= least + tolerance {
                    return Some(sample.value);
                }
            }
        }
        self.samples.last().map(|sample| sample.value)
    }

    /// How far a rank among so many numbers may be off, twice.
    fn allowed(&self, count: u64) -> u64 {
        (2.0 * self.error * count as f64) as u64
    }

    /// Gives every gathered number its place.
    fn sort_in(&mut self) {
        let mut new = std::mem::take(&mut self.gathered);
        if new.is_empty() {
            return;
        }
        new.sort_unstable_by(f64::total_cmp);
        let slack = self.allowed(self.count);
        let new: Vec<Sample> = new.into_iter().map(|value| Sample { value, weight: 1, slack: 0 }).collect();
        self.count += new.len() as u64;
        let old = std::mem::take(&mut self.samples);
        self.samples = merged([&old, &new], [0, slack]);
    }

    /// Leaves out samples whose neighbours above can stand for them; the first and the last one stay.
    fn thin_out(&mut self) {
        if self.samples.len() < SAMPLES {
            return;
        }
        let most = 2.0 * self.error * self.count as f64;
        let mut kept: Vec<Sample> = Vec::with_capacity(SAMPLES);
        for sample in self.samples.iter().skip(1).rev() {
            match kept.last_mut() {
                Some(above) if ((sample.weight + above.weight + above.slack) as f64) < most => {
                    above.weight += sample.weight;
                }
                _ => kept.push(*sample),
            }
        }
        kept.extend(self.samples.first());
        kept.reverse();
        self.samples = kept;
    }
}

/// Two sorted lists of samples as one. The rank of a sample that lies between samples of the other list is less certain
/// than before, by the `slack` of its list.
fn merged([left, right]: [&[Sample]; 2], slack: [u64; 2]) -> Vec<Sample> {
    let mut all = Vec::with_capacity(left.len() + right.len());
    let [mut l, mut r] = [left, right].map(<[Sample]>::iter);
    loop {
        let (next, others, all_others, more) = match (l.as_slice().first(), r.as_slice().first()) {
            (Some(a), Some(b)) if a.value.total_cmp(&b.value).is_gt() => {
                (r.next(), l.len(), left.len(), slack[1])
            }
            (Some(_), _) => (l.next(), r.len(), right.len(), slack[0]),
            (None, _) => (r.next(), l.len(), left.len(), slack[1]),
        };
        let Some(sample) = next else { return all };
        let between = 0 < others && others < all_others;
        all.push(Sample { slack: sample.slack + if between { more } else { 0 }, ..*sample });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    fn of(numbers: impl IntoIterator<Item = f64>, error: f64) -> Summary {
        let mut summary = Summary::new(error);
        numbers.into_iter().for_each(|number| summary.insert(number));
        summary
    }

    #[test]
    fn a_quantile_of_a_few_numbers_is_one_of_them() {
        let mut few = of([4.0, 1.0, 3.0, 2.0], 1e-4);
        let shares = [0.0, 0.25, 0.26, 0.5, 0.75, 0.9, 1.0];
        assert_eq!(shares.map(|share| few.quantile(share).unwrap()), [1.0, 1.0, 2.0, 2.0, 3.0, 4.0, 4.0]);
        assert_eq!(Summary::new(1e-4).quantile(0.5), None);
    }

    /// The largest share by which the rank of a quantile is off, of numbers that are their own ranks.
    fn off(summary: &mut Summary, count: f64) -> f64 {
        let shares = (1..100).map(|percent| f64::from(percent) / 100.0);
        shares.map(|share| (summary.quantile(share).unwrap() / count - share).abs()).fold(0.0, f64::max)
    }

    fn shuffled(count: usize, seed: u64) -> Vec<f64> {
        let mut numbers: Vec<f64> = (1..=count).map(|number| number as f64).collect();
        let mut rng = SmallRng::seed_from_u64(seed);
        (1..count).for_each(|at| numbers.swap(at, rng.random_range(0..=at)));
        numbers
    }

    #[test]
    fn of_many_numbers_few_are_kept_and_no_rank_is_off_by_more_than_the_error() {
        for error in [1e-2, 1e-3] {
            let mut summary = of(shuffled(200_000, 1), error);
            assert!(off(&mut summary, 200_000.0) < error * 1.001, "{error}");
            assert!(summary.samples().len() < 20_000, "{}", summary.samples().len());
        }
    }

    #[test]
    fn summaries_of_parts_make_one_of_the_whole() {
        let numbers = shuffled(150_000, 2);
        let mut whole = Summary::new(1e-3);
        for part in numbers.chunks(17_000) {
            whole.merge(of(part.iter().copied(), 1e-3).samples());
        }
        assert_eq!(whole.count, 150_000);
        assert!(off(&mut whole, 150_000.0) <= 2e-3, "{}", off(&mut whole, 150_000.0));
    }

    #[test]
    fn a_few_numbers_are_exact_however_they_were_divided() {
        let numbers = shuffled(999, 3);
        let mut whole = Summary::new(1e-4);
        numbers.chunks(7).for_each(|part| whole.merge(of(part.iter().copied(), 1e-4).samples()));
        assert_eq!(whole.quantile(0.5), Some(500.0));
    }
}
