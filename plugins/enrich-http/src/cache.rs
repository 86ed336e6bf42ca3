//! Answers from before.

use std::collections::{HashMap, VecDeque};

use streamhost::serde_json::Value;

/// Answers by key, for as long as each is good. Times are processing times in microseconds.
#[derive(Default)]
pub(crate) struct Cache {
    answers: HashMap<String, Remembered>,
    /// Keys as they were put in, each with its turn. One that was put in again has a later turn too, and only that counts.
    order: VecDeque<(String, u64)>,
    turn: u64,
}

struct Remembered {
    answer: Value,
    until: i64,
    turn: u64,
}

impl Cache {
    pub(crate) fn get(&self, key: &str, now: i64) -> Option<Value> {
        self.answers.get(key).filter(|known| now < known.until).map(|known| known.answer.clone())
    }

    /// Remembers an answer, in the place of the oldest if there are `most` already.
    pub(crate) fn put(&mut self, key: &str, answer: &Value, until: i64, most: usize) {
        if most == 0 {
            return;
        }
        self.turn += 1;
        let remembered = Remembered { answer: answer.clone(), until, turn: self.turn };
        self.answers.insert(key.to_owned(), remembered);
        self.order.push_back((key.to_owned(), self.turn));
        while self.answers.len() > most || self.order.len() > 2 * most {
            let Some((oldest, turn)) = self.order.pop_front() else { return };
            if self.answers.get(&oldest).is_some_and(|known| known.turn == turn) {
                self.answers.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_answer_makes_room() {
        let mut cache = Cache::default();
        for key in ["a", "b", "a", "c"] {
            cache.put(key, &Value::from(key), 10, 2);
        }
        let known = |key| cache.get(key, 9).is_some();
        assert_eq!((known("a"), known("b"), known("c")), (true, false, true));
        assert_eq!(cache.get("a", 10), None, "its time is up");
        for _ in 0..100 {
            cache.put("a", &Value::Null, 10, 2);
        }
        assert!(cache.answers.len() <= 2 && cache.order.len() <= 4);
    }

    #[test]
    fn a_cache_of_no_keys_remembers_nothing() {
        let mut cache = Cache::default();
        cache.put("a", &Value::Null, 10, 0);
        assert_eq!(cache.get("a", 0), None);
    }
}
