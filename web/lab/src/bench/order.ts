/**
 * Who runs when: each round runs everyone once, and each round starts with another one.
 *
 * Alternating spreads a slow moment of the machine over all of them, and rotating keeps anyone from
 * always running just after the same neighbour, on its warm or its ruined caches.
 */
export function alternate<T>(subjects: readonly T[], rounds: number): T[][] {
  return Array.from({ length: rounds }, (_, round) => {
    const start = subjects.length === 0 ? 0 : round % subjects.length;
    return [...subjects.slice(start), ...subjects.slice(0, start)];
  });
}
