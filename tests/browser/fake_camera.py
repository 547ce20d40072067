"""A camera that sees a printed card: Chromium plays a video that is made from a picture of the card's code."""

from io import BytesIO
from pathlib import Path
from typing import Final

import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, Locator

from tests.browser.conftest import CHROMIUM

SIZE: Final = (640, 480)
FRAMES: Final = 4


def read_code(printed: Locator) -> str:
    """Return the text of a QR code as it is shown on the screen."""
    (found,) = zxingcpp.read_barcodes(_picture(printed))
    return str(found.text)


def browser_with_camera(chromium: Browser, printed: Locator, folder: Path) -> Browser:
    """Start another browser, whose camera sees what an element looks like; the caller closes it.

    A page may use the camera if its context has the permission `camera`.
    """
    video = folder / "card.y4m"
    _write_video(video, _picture(printed))
    return chromium.browser_type.launch(
        executable_path=CHROMIUM,
        args=[
            "--no-sandbox",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={video}",
        ],
    )


def _picture(printed: Locator) -> Image.Image:
    return Image.open(BytesIO(printed.screenshot())).convert("L")


def _write_video(path: Path, picture: Image.Image) -> None:
    """Write an uncompressed grey video (YUV4MPEG2), in which the picture stands still on a white table."""
    frame = Image.new("L", SIZE, 255)
    scaled = picture.resize((360, 360), Image.Resampling.NEAREST)
    frame.paste(scaled, ((SIZE[0] - 360) // 2, (SIZE[1] - 360) // 2))
    colours = bytes([128]) * (SIZE[0] * SIZE[1] // 2)
    header = f"YUV4MPEG2 W{SIZE[0]} H{SIZE[1]} F10:1 Ip A1:1 C420jpeg\n".encode()
    path.write_bytes(header + (b"FRAME\n" + frame.tobytes() + colours) * FRAMES)
