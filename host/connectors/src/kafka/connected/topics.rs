//! Which partitions of which topics are read.

use super::{offsets::Tp, reader::Cluster};
use crate::kafka::settings::KafkaSettings;
use engine::{Error, Result};
use rdkafka::consumer::Consumer;
use regex::Regex;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// What the settings choose.
pub(super) enum Topics {
    /// All partitions of these.
    Named(Vec<String>),
    /// All partitions of those whose whole name it matches.
    Matching(String, Regex),
    /// These partitions.
    Assigned(BTreeMap<String, Vec<i32>>),
}

impl Topics {
    /// [`engine::Kind::Invalid`] unless the settings choose in one way.
    pub(super) fn new(settings: &KafkaSettings) -> Result<Self> {
        match (&settings.topic, &settings.pattern, &settings.assignment) {
            (Some(topics), None, None) if !topics.names().is_empty() => {
                Ok(Topics::Named(topics.names().to_vec()))
            }
            (None, Some(pattern), None) => {
                let matcher = Regex::new(&format!("^(?:{pattern})$")).map_err(|e| {
                    Error::invalid(format!("pattern: {pattern:?} is no regular expression")).caused_by(e)
                })?;
                Ok(Topics::Matching(pattern.clone(), matcher))
            }
            (None, None, Some(assignment)) => Ok(Topics::Assigned(assignment.clone())),
            _ => Err(Error::invalid(
                "write one of topic = \"events\", pattern = \"events-.*\" and assignment = { events = [0, 1] }",
            )),
        }
    }

    /// Asks the brokers what there is of it now.
    pub(super) fn look(&self, cluster: &Cluster) -> Result<BTreeSet<Tp>> {
        let mut found = BTreeSet::new();
        match self {
            Topics::Named(topics) => {
                for topic in topics {
                    found.extend(partitions(topic, cluster)?);
                }
            }
            Topics::Assigned(assignment) => {
                for (topic, wanted) in assignment {
                    found.extend(partitions(topic, cluster)?.into_iter().filter(|(_, p)| wanted.contains(p)));
                }
            }
            Topics::Matching(_, matcher) => {
                let all = |timeout| cluster.consumer.fetch_metadata(None, timeout);
                let metadata = cluster.ask("looking for topics", all)?;
                let topics = metadata.topics().iter().filter(|topic| matcher.is_match(topic.name()));
                found.extend(
                    topics.flat_map(|t| t.partitions().iter().map(|p| (t.name().to_owned(), p.id()))),
                );
            }
        }
        Ok(found)
    }

    /// What is wanted and not there, when nothing was ever read. `of`: which brokers.
    pub(super) fn refuse_missing(&self, found: &BTreeSet<Tp>, of: &str) -> Result<()> {
        let there = |topic: &str| found.iter().any(|(name, _)| name == topic);
        let missing = match self {
            Topics::Named(topics) => topics.iter().find(|topic| !there(topic)),
            Topics::Assigned(assignment) => assignment.keys().find(|topic| !there(topic)),
            Topics::Matching(..) => None,
        };
        match missing {
            None => Ok(()),
            Some(topic) => Err(Error::invalid(format!(
                "there is no topic {topic:?} at {of}, or it has none of the partitions; create it, or correct its name"
            ))),
        }
    }
}

/// The partitions of a topic; none if there is no such topic.
fn partitions(topic: &str, cluster: &Cluster) -> Result<Vec<Tp>> {
    let one = |timeout| cluster.consumer.fetch_metadata(Some(topic), timeout);
    let metadata = cluster.ask(&format!("looking for topic {topic}"), one)?;
    let partitions = metadata.topics().iter().flat_map(|of| of.partitions());
    Ok(partitions.map(|p| (topic.to_owned(), p.id())).collect())
}

impl fmt::Display for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Topics::Named(topics) => f.write_str(&topics.join(", ")),
            Topics::Matching(pattern, _) => write!(f, "pattern {pattern}"),
            Topics::Assigned(assignment) => {
                let all = assignment.iter().map(|(topic, partitions)| {
                    let partitions: Vec<String> = partitions.iter().map(i32::to_string).collect();
                    format!("{topic}/{}", partitions.join("+"))
                });
                f.write_str(&all.collect::<Vec<_>>().join(", "))
            }
        }
    }
}
