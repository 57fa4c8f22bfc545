import { randomFrom } from "./random.ts";

/** Keys of the generated rows that can be sorted by. */
export const rowKeys = ["id", "island", "height", "at", "wind.speed"] as const;

const islands = ["Chesil", "Lindisfarne", "Monemvasia", "Maui", "Sveti Stefan", "Peniche", "Cadiz", "Howth"];
const winds = ["north", "east", "south", "west"];

/**
 * `rows` observations of tides as JSON text, about 90 bytes each, in chunks. Numbers and texts as a
 * service would send them: integers, fractions, dates, an object in each row.
 */
export function* rowChunks(rows: number, rowsPerChunk = 10_000): Generator<string> {
  const random = randomFrom(3);
  for (let at = 0; at < rows; at += rowsPerChunk) {
    const texts: string[] = [];
    for (let row = at; row < Math.min(rows, at + rowsPerChunk); row += 1) texts.push(rowText(random));
    yield (at === 0 ? "[" : ",") + texts.join(",");
  }
  yield rows === 0 ? "[]" : "]";
}

function rowText(random: () => number): string {
  const id = Math.floor(random() * 4_000_000_000);
  const island = islands[Math.floor(random() * islands.length)];
  const height = Math.round(random() * 900_000 - 450_000) / 1e5;
  const at = new Date(1.76e12 + Math.floor(random() * 3e7) * 1000).toISOString().slice(0, 19);
  const speed = Math.round(random() * 300) / 10;
  const from = winds[Math.floor(random() * winds.length)];
  return JSON.stringify({ id, island, height, at, wind: { speed, from } });
}
