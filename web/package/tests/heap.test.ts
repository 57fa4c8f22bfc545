import { describe, expect, it } from "vitest";
import { type Block, Heap } from "../src/heap.js";

const PAGE = 65_536;

/** A memory of so many pages that can grow; others may grow it too. */
class Memory {
  pages = 4;

  constructor(private readonly most: number) {}

  grow = (bytes: number): number | undefined => {
    expect(bytes % PAGE).toBe(0);
    if (this.pages + bytes / PAGE > this.most) return undefined;
    const at = this.pages * PAGE;
    this.pages += bytes / PAGE;
    return at;
  };
}

describe("the page's heap", () => {
  it("hands out aligned blocks that do not overlap, whatever the order", () => {
    let state = 12345;
    const random = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const memory = new Memory(2000);
    const heap = new Heap(memory.grow);
    const held: Block[] = [];
    for (let step = 0; step < 20_000; step += 1) {
      if (random(50) === 0) memory.grow(PAGE); // The module's own allocator.
      if (random(5) < 3) {
        const bytes = random(2 ** (4 + random(16)));
        const block = heap.allocate(bytes);
        if (!block) continue;
        expect(block.at % 64).toBe(0);
        expect(block.at).toBeGreaterThanOrEqual(4 * PAGE);
        expect(block.bytes).toBeGreaterThanOrEqual(Math.max(1, bytes));
        expect(block.at + block.bytes).toBeLessThanOrEqual(memory.pages * PAGE);
        held.push(block);
      } else if (held.length > 0) heap.release(held.splice(random(held.length), 1)[0]!);
      if (step % 500 === 0) {
        const sorted = [...held].sort((a, b) => a.at - b.at);
        for (let i = 1; i < sorted.length; i += 1) {
          expect(sorted[i - 1]!.at + sorted[i - 1]!.bytes).toBeLessThanOrEqual(sorted[i]!.at);
        }
        expect(heap.usedBytes).toBe(held.reduce((sum, { bytes }) => sum + bytes, 0));
      }
    }
  });

  it("joins what was given back, so that one large block fits again", () => {
    const memory = new Memory(4 + 64);
    const heap = new Heap(memory.grow);
    const blocks = Array.from({ length: 64 }, () => heap.allocate(PAGE)!);
    expect(heap.allocate(1)).toBeUndefined();
    for (const index of [...blocks.keys()].sort((a, b) => (a % 7) - (b % 7))) heap.release(blocks[index]!);
    expect(heap.allocate(64 * PAGE)?.at).toBe(4 * PAGE);
    expect(heap.usedBytes).toBe(64 * PAGE);
  });

  it("calls only what nobody has written to fresh", () => {
    const heap = new Heap(new Memory(100).grow);
    const first = heap.allocate(1000)!;
    expect(first.fresh).toBe(true);
    heap.release(first);
    expect(heap.allocate(1000)!.fresh).toBe(false);
    expect(heap.allocate(40 * PAGE)!.fresh).toBe(true);
  });

  it("takes the exact growth where the generous one no longer fits", () => {
    const heap = new Heap(new Memory(4 + 2).grow);
    expect(heap.allocate(100)).toBeDefined();
    expect(heap.allocate(2 * PAGE)).toBeUndefined();
  });
});
