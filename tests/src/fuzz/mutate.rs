use super::Random;

/// Changes one integer of 1, 2, 4 or 8 bytes at a place that flatbuffers would put it.
pub(super) fn one_integer(random: &mut Random, input: &mut [u8]) {
    let width = 1 << random.below(4);
    let at = random.below(input.len() / width) * width;
    let Some(place) = input.get_mut(at..at + width) else { return };
    let mut old = [0; 8];
    for (to, from) in old.iter_mut().zip(place.iter()) {
        *to = *from;
    }
    let new = other(random, u64::from_le_bytes(old)).to_le_bytes();
    for (to, from) in place.iter_mut().zip(new) {
        *to = from;
    }
}

/// Changes anything: integers, single bits, the length, the order of parts.
pub(super) fn anything(random: &mut Random, input: &mut Vec<u8>) {
    for _ in 0..=random.below(4) {
        match random.below(6) {
            0 => flip(random, input),
            1 => input.truncate(random.below(input.len() + 1)),
            2 => repeat(random, input),
            3 => noise(random, input),
            _ => one_integer(random, input),
        }
    }
}

/// A number that is likely to hurt where `old` was meant.
fn other(random: &mut Random, old: u64) -> u64 {
    let interesting = [
        0,
        1,
        7,
        8,
        9,
        u64::MAX,
        u64::MAX << 1,
        i32::MAX as u64,
        u64::from(u32::MAX),
        i64::MAX as u64,
        1 << 63,
    ];
    match random.below(6) {
        0 => old.wrapping_add(1),
        1 => old.wrapping_sub(1),
        2 => old.wrapping_add(8),
        3 => old ^ (1 << random.below(64)),
        4 => random.bits() >> random.below(64),
        _ => random.pick(&interesting).copied().unwrap_or_default(),
    }
}

fn flip(random: &mut Random, input: &mut [u8]) {
    if let Some(byte) = input.get_mut(random.below(input.len())) {
        *byte ^= 1 << random.below(8);
    }
}

/// A part occurs once more, somewhere.
fn repeat(random: &mut Random, input: &mut Vec<u8>) {
    let start = random.below(input.len() / 8) * 8;
    let end = (start + random.below(32) * 8).min(input.len());
    let part = input.get(start..end).unwrap_or_default().to_vec();
    let to = random.below(input.len() / 8 + 1) * 8;
    input.splice(to.min(input.len())..to.min(input.len()), part);
}

fn noise(random: &mut Random, input: &mut [u8]) {
    let start = random.below(input.len());
    let end = (start + random.below(64)).min(input.len());
    for byte in input.get_mut(start..end).unwrap_or_default() {
        *byte = random.bits() as u8;
    }
}
