//! What a row looks like: most look like the row before them.

use super::super::block::{BYTES, Block};
use super::super::lex::{Lexer, Step};
use crate::memory::reserve;

/// Members of a row that are remembered.
const MEMBERS_MAX: usize = 64;

/// The names of an object's members, in the order of the last such object.
///
/// What lies between two values, such as `,"name":`, is compared as it stands, sixteen bytes at once. If it
/// is the same bytes as at this place of the row before, it was checked there, and it is the same name.
#[derive(Default)]
pub(super) struct Shape {
    members: Vec<Member>,
}

struct Member {
    bytes: [u8; BYTES],
    /// Bits of those that count; one that no block has, if they are too many to compare.
    mask: u32,
    length: usize,
    is_key: bool,
}

impl Shape {
    /// If the member at `place` begins as it did: where its value begins, and whether it is the key.
    #[inline(always)]
    pub(super) fn skip(&self, place: usize, lexer: Lexer<'_>) -> Option<(usize, bool)> {
        let (member, block) = (self.members.get(place)?, lexer.block(lexer.at)?);
        let same = block.same_as(Block::load(&member.bytes));
        (same & member.mask == member.mask).then_some((lexer.at + member.length, member.is_key))
    }

    /// Remembers how the member at `place` begins.
    #[inline(never)]
    pub(super) fn learn(&mut self, place: usize, text: &[u8], is_key: bool) -> Step<()> {
        let mut member = Member { bytes: [0; BYTES], mask: 1 << BYTES, length: text.len(), is_key };
        if let Some(bytes) = member.bytes.get_mut(..text.len()) {
            bytes.copy_from_slice(text);
            member.mask = (1 << text.len()) - 1;
        }
        match self.members.get_mut(place) {
            Some(known) => *known = member,
            None if place < MEMBERS_MAX => {
                reserve(&mut self.members, 1)?;
                self.members.push(member);
            }
            None => {}
        }
        Ok(())
    }
}
