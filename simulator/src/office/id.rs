//! Object ids that say which object they are of, so that none need be remembered to find it again.

use uuid::Uuid;

use crate::world::mix;

/// Bits of an id that hide the number: those before the version.
const HALF: u32 = 24;
const MASK: u64 = (1 << HALF) - 1;
const ROUNDS: u64 = 4;

/// The id of the object of this kind and number, in the cloud of a seed.
pub(crate) fn id_of(seed: u64, kind: &str, number: u64) -> Uuid {
    let salt = salt(seed, kind);
    let (mut left, mut right) = (number >> HALF & MASK, number & MASK);
    for round in 0..ROUNDS {
        (left, right) = (right, left ^ (mix(salt ^ round, right) & MASK));
    }
    let rest = u128::from(mix(salt, number)) << 16 | u128::from(mix(!salt, number) & 0xffff);
    let bits = u128::from(left << HALF | right) << 80 | rest;
    uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
}

/// The number of the object that has this id, if it is of this kind at all.
pub(crate) fn number_of(seed: u64, kind: &str, id: Uuid) -> Option<u64> {
    let salt = salt(seed, kind);
    let hidden = u64::try_from(id.as_u128() >> 80).ok()?;
    let (mut left, mut right) = (hidden >> HALF & MASK, hidden & MASK);
    for round in (0..ROUNDS).rev() {
        (left, right) = (right ^ (mix(salt ^ round, left) & MASK), left);
    }
    let number = left << HALF | right;
    (id_of(seed, kind, number) == id).then_some(number)
}

fn salt(seed: u64, kind: &str) -> u64 {
    kind.bytes().fold(mix(seed, 0x0365), |salt, byte| mix(salt, byte.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_again_and_no_other_is() {
        for number in (0..2_000).chain([1 << 30, (1 << 48) - 1]) {
            let id = id_of(7, "user", number);
            assert_eq!(number_of(7, "user", id), Some(number));
            assert_eq!((number_of(7, "group", id), number_of(8, "user", id)), (None, None));
            assert_eq!(id.get_version_num(), 4);
        }
        assert_eq!(number_of(7, "user", Uuid::nil()), None);
    }
}
