"""What is undone when a batch is refused: everything, the last first."""

from collector.memory import Notebook


def test_what_was_learned_is_undone_backwards_and_only_when_it_was_refused():
    notebook = Notebook("x")
    done: list[int] = []
    for turn in range(3):
        notebook.undo(lambda turn=turn: done.append(turn))
        notebook.note(b"x", 1.0)
    notebook.close(kept=False)
    assert (done, notebook.open) == ([2, 1, 0], [])

    notebook.undo(lambda: done.append(3))
    notebook.close(kept=True)
    notebook.close(kept=False)
    assert done == [2, 1, 0]
