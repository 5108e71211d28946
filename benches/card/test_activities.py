"""`activities.py` on a trace that is written here: python3 benches/card/test_activities.py"""

import tempfile
import unittest
from pathlib import Path

import activities

MS = 1_000_000
STEPS = 30


def trace() -> str:
    """Thirty steps of 10 ms: two kernels that overlap, one between them that is short, uploads, and a wait every tenth step."""
    lines = ["n 5 gemm", "n 9 relu", "c 0 10 4096 1 1 3"]
    for step in range(STEPS):
        at = step * 10 * MS
        lines.append(f"c {at} {at + MS} 6291456 1 2 3")  # images, pinned
        lines.append(f"c {at + 1} {at + MS} 2097152 1 2 3")  # masks
        lines += [f"k {at + MS} {at + 5 * MS} 5", f"k {at + 4 * MS} {at + 6 * MS} 9", f"k {at + 8 * MS} {at + 9 * MS} 9"]
        if step % 10 == 9:
            lines += [f"c {at + 9 * MS} {at + 9 * MS + 5} 80 2 3 1", f"w {at + 9 * MS} {at + 10 * MS} 3"]
    return "\n".join([*lines, "k 12 13"])  # cut off


class Activities(unittest.TestCase):
    def read(self, text: str) -> activities.Trace:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trace.txt"
            path.write_text(text)
            return activities.read(path)

    def test_a_trace_is_cut_to_whole_steps_and_what_happens_in_one_is_counted(self) -> None:
        steps = activities.cut(self.read(trace()), STEPS)
        self.assertEqual((steps.count, steps.wall_ms, steps.kernels), (19, 10.0, 3.0))
        self.assertAlmostEqual(steps.kernels_ms, 7.0)
        self.assertAlmostEqual(steps.busy, 0.6, msg="what overlaps counts once")
        self.assertEqual([name for name in steps.by_kernel], ["gemm", "relu"])
        self.assertAlmostEqual(steps.by_kernel["relu"][0], 3.0)
        self.assertAlmostEqual(steps.copies["to the card, pinned"][0], 2.0)
        self.assertAlmostEqual(steps.copies["to the host, pageable"][0], 1 / 19, msg="step 20 alone: 30 is the last")
        self.assertAlmostEqual(steps.waits["for a stream"][0], 1 / 19)

    def test_a_trace_without_uploads_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "once a step"):
            activities.cut(self.read("n 1 a\nk 0 5 1\n! kernels: no driver\nd 7"), STEPS)

    def test_errors_and_drops_are_kept(self) -> None:
        found = self.read("! kernels: no driver\nd 7\nd 2")
        self.assertEqual((found.errors, found.dropped), (["kernels: no driver"], 9))


if __name__ == "__main__":
    unittest.main()
