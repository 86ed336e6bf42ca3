//! Which partitions of which topics are read.

use super::{cluster::Cluster, offsets::Tp};
use crate::kafka::settings::{KafkaSettings, StartingOffset, StartingOffsets};
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
        let chosen = Self::chosen(settings)?;
        chosen.refuse_unread(&settings.starting_offsets)?;
        Ok(chosen)
    }

    fn chosen(settings: &KafkaSettings) -> Result<Self> {
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

    /// Asks the brokers what there is of it now. `known`: what there was before; by name it is told, too, that somebody may not
    /// look at it, and in a list of all topics it is just missing.
    pub(super) fn look(&self, cluster: &Cluster, known: &BTreeSet<Tp>) -> Result<BTreeSet<Tp>> {
        let mut found = BTreeSet::new();
        match self {
            Topics::Named(topics) => {
                for topic in topics {
                    found.extend(partitions(topic, cluster)?);
                }
            }
            Topics::Assigned(assignment) => {
                for (topic, wanted) in assignment {
                    found.extend(partitions(topic, cluster)?.filter(|(_, p)| wanted.contains(p)));
                }
            }
            Topics::Matching(_, matcher) => {
                let all = |timeout| cluster.consumer.fetch_metadata(None, timeout);
                let metadata = cluster.ask("looking for topics", all)?;
                let topics = metadata.topics().iter().filter(|topic| matcher.is_match(topic.name()));
                found.extend(
                    topics.flat_map(|t| t.partitions().iter().map(|p| (t.name().to_owned(), p.id()))),
                );
                let listed: BTreeSet<String> = found.iter().map(|(topic, _)| topic.clone()).collect();
                let missing: BTreeSet<&String> =
                    known.iter().map(|(topic, _)| topic).filter(|topic| !listed.contains(*topic)).collect();
                for topic in missing {
                    found.extend(partitions(topic, cluster)?);
                }
            }
        }
        Ok(found)
    }

    /// What is wanted and not there, when nothing was ever read. `of`: which brokers.
    pub(super) fn refuse_missing(
        &self,
        found: &BTreeSet<Tp>,
        starts: &StartingOffsets,
        of: &str,
    ) -> Result<()> {
        let there = |topic: &str| found.iter().any(|(name, _)| name == topic);
        let missing = match self {
            Topics::Named(topics) => topics.iter().find(|topic| !there(topic)),
            Topics::Assigned(assignment) => assignment.keys().find(|topic| !there(topic)),
            Topics::Matching(..) => None,
        };
        if let Some(topic) = missing {
            return Err(Error::invalid(format!(
                "there is no topic {topic:?} at {of}, or it has none of the partitions; create it, or correct its name"
            )));
        }
        let StartingOffsets::Offsets(starts) = starts else { return Ok(()) };
        let missing = starts.iter().find_map(|(topic, starts): (&String, &BTreeMap<i32, StartingOffset>)| {
            let missing = starts.keys().find(|partition| !found.contains(&(topic.clone(), **partition)))?;
            Some((topic, missing))
        });
        missing.map_or(Ok(()), |(topic, partition)| {
            Err(Error::invalid(format!(
                "starting-offsets: there is no partition {partition} of topic {topic:?} among those that are read; correct the number, or leave \
                 it out"
            )))
        })
    }

    /// A start for a topic that is not read is a mistake in its name.
    fn refuse_unread(&self, starts: &StartingOffsets) -> Result<()> {
        let StartingOffsets::Offsets(starts) = starts else { return Ok(()) };
        let is_read = |topic: &String| match self {
            Topics::Named(topics) => topics.contains(topic),
            Topics::Assigned(assignment) => assignment.contains_key(topic),
            Topics::Matching(_, matcher) => matcher.is_match(topic),
        };
        starts.keys().find(|topic| !is_read(topic)).map_or(Ok(()), |topic| {
            Err(Error::invalid(format!(
                "starting-offsets: topic {topic:?} is none of those that are read, {self}; correct its name"
            )))
        })
    }
}

/// The partitions of a topic; none if there is no such topic.
fn partitions(topic: &str, cluster: &Cluster) -> Result<impl Iterator<Item = Tp>> {
    let topic = topic.to_owned();
    Ok(cluster.partitions(&topic)?.into_iter().map(move |partition| (topic.clone(), partition)))
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
