"""A page on this machine: draw a line or drop a picture of one, and see the text appear."""

from pathlib import Path
from typing import Any

from emnist_lines.common.errors import UserError, one_line
from emnist_lines.reading.reader import Reader, joined_lines

HOST = "127.0.0.1"
LARGEST = "16mb"
"""Of an uploaded file."""
EXAMPLES = Path("metrics/plots/examples")
"""Pictures of test lines to click, where the stage `evaluate` leaves them."""
CANVAS = (1200, 200)
"""Columns and rows to draw on."""
BRUSH = 7
COLOURS = {"90% and more": "#2e9e5b", "50% to 90%": "#e08a00", "below 50%": "#d03030"}
CSS = """
#lines .grid-container { grid-template-rows: none; grid-auto-rows: 4.5rem; }
#lines .thumbnail-item { aspect-ratio: auto; background: white; }
"""
PEN = """() => {
    const wait = setInterval(() => {
        const pen = document.querySelector('#board button[aria-label="Brush"]')
        if (pen) { pen.click(); clearInterval(wait) }
    }, 100)
}"""
"""Takes the pen, so that a first stroke draws."""
TITLE = "emnist-lines"
INTRODUCTION = (
    "# emnist-lines\n"
    "Write a line with mouse or pen, or drop a picture of one or several. The network has learned `0-9`, `A-Z`, `a-z`, "
    "spaces and some punctuation, up to 30 at a time."
)


def page(model: Path | None = None, language: bool = True, words: Path | None = None) -> Any:
    """The page, as a Gradio app.

    Raises:
        UserError: Gradio is missing, or the model is.
    """
    try:
        import gradio as gr
    except ImportError:
        raise UserError(
            "the page needs packages that are not here; install them with `pip install --editable '.[demo]'`"
        ) from None
    with_language = Reader(model, language, words)
    by_ink = Reader(model, language=False) if language else with_language

    def file_of(payload: Any) -> str | None:
        """The file as it is: Gradio would convert it to RGB, and lose depth and transparency."""
        return None if payload is None else str(payload.path)

    def read(picture: Any, english: bool) -> tuple[str, list[tuple[str, str]], str, str, Any]:
        if isinstance(picture, dict):  # what the drawing board gives
            picture = picture["composite"]
        if picture is None:
            return "", [], "", "", None
        (found,) = (with_language if english else by_ink).read_each([picture], ["the picture"])
        if isinstance(found, Exception):
            return "", [], "", one_line(found), picture
        if not found:
            return "", [], "", "There is no writing in the picture.", picture
        text = joined_lines(found)
        each = [(_visible(c), _class(p)) for c, p in zip(text.text, text.confidences, strict=True)]
        return text.text, each, f"{text.confidence:.1%}", "", picture

    with gr.Blocks(title=TITLE, analytics_enabled=False) as blocks:
        gr.Markdown(INTRODUCTION)
        with gr.Tab("Draw"):
            board = gr.Sketchpad(
                type="pil",
                canvas_size=CANVAS,
                layers=False,
                brush=gr.Brush(default_size=BRUSH, colors=["#000000"], color_mode="fixed"),
                label="Write here",
                elem_id="board",
            )
        with gr.Tab("Picture"):
            picture = gr.Image(
                type="filepath", sources=["upload", "clipboard"], label="Drop a picture", elem_id="picture"
            )
            picture.preprocess = file_of  # type: ignore[method-assign]
            offered = sorted(EXAMPLES.glob("*.png"))
            if offered:
                lines = gr.Gallery(
                    [str(path) for path in offered],
                    label="Or choose a test line",
                    columns=3,
                    height=200,
                    object_fit="contain",
                    allow_preview=False,
                    elem_id="lines",
                )

                def choose(event: gr.SelectData) -> str:
                    return str(offered[event.index])

                lines.select(choose, None, picture)
        note = gr.Markdown(elem_id="note")
        text = gr.Textbox(label="Text", lines=1, max_lines=20, elem_id="text")
        each = gr.HighlightedText(
            label="Confidence of each character", show_legend=True, color_map=COLOURS, elem_id="each"
        )
        whole = gr.Textbox(label="Confidence of the whole text", elem_id="whole")
        english = gr.Checkbox(
            language,
            label="Read as English: a language model helps; not with names or serial numbers",
            visible=language,
            elem_id="english",
        )
        last = gr.State(None)  # what was read
        for source, change in ((board, board.change), (picture, picture.change), (last, english.change)):
            change(read, [source, english], [text, each, whole, note, last], show_progress="hidden")
        blocks.load(None, js=PEN)
    return blocks


def _visible(character: str) -> str:
    return {" ": "␣", "\n": "⏎"}.get(character, character)


def _class(confidence: float) -> str:
    """Which of the `COLOURS` a character's confidence takes."""
    names = list(COLOURS)
    return names[0] if confidence >= 0.9 else names[1] if confidence >= 0.5 else names[2]


def serve(port: int, model: Path | None = None, language: bool = True, words: Path | None = None) -> None:
    """Show the page until it is interrupted.

    Raises:
        UserError: a package or the model is missing, or the port is taken or not allowed.
    """
    app = page(model, language, words)
    try:
        app.launch(
            css=CSS,
            server_name=HOST,
            server_port=port,
            share=False,
            max_file_size=LARGEST,
            quiet=True,
            prevent_thread_lock=True,
        )
    except OSError:
        raise UserError(f"port {port} is taken, or not allowed to you; choose another with --port") from None
    print(f"http://{HOST}:{port}  (Ctrl-C ends it)", flush=True)
    app.block_thread()
