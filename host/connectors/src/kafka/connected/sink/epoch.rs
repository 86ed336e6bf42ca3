use super::{super::encode::Layout, blocking, token, writer::Writer};
use arrow::array::RecordBatch;
use async_trait::async_trait;
use engine::{Epoch, EpochWriter, Partition, Result, Token};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

/// The rows of one epoch on their way to the brokers.
pub(super) struct KafkaEpoch {
    writer: Arc<Writer>,
    layout: Arc<Layout>,
    avro_id: u32,
    epoch: Epoch,
    /// Whether nobody wants the epoch any more.
    abandoned: Arc<AtomicBool>,
}

impl KafkaEpoch {
    pub(super) fn new(writer: Arc<Writer>, layout: Layout, avro_id: u32, epoch: Epoch) -> Self {
        KafkaEpoch { writer, layout: Arc::new(layout), avro_id, epoch, abandoned: Arc::default() }
    }
}

#[async_trait]
impl EpochWriter for KafkaEpoch {
    async fn write(&self, _: Partition, rows: RecordBatch) -> Result<()> {
        let (writer, layout, abandoned) = (self.writer.clone(), self.layout.clone(), self.abandoned.clone());
        let avro_id = self.avro_id;
        blocking(move || {
            writer.begin()?;
            layout.encode(&rows, &writer.options.time_zone, avro_id, |message| {
                writer.send(message, &abandoned)
            })?;
            writer.look()
        })
        .await?
    }

    async fn commit(self: Box<Self>) -> Result<Token> {
        let (writer, epoch) = (self.writer.clone(), self.epoch);
        let committing = writer.clone();
        blocking(move || committing.commit(epoch)).await??;
        Ok(token(&writer, epoch))
    }
}

impl Drop for KafkaEpoch {
    fn drop(&mut self) {
        // Who waits for room to write more gives up; the next epoch takes back what was written.
        self.abandoned.store(true, Relaxed);
    }
}
