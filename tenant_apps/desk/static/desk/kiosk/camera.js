// Reads QR codes from the camera: by the browser's own BarcodeDetector, or else by zxing, which is loaded only then.
"use strict";

const PAUSE = 120;
const WIDEST = 960;
const SAME_CODE_AFTER = 4000;

// Returns a function from a canvas to the texts of the codes on it, or `null` if this browser cannot read codes.
async function findReader({ script, wasm }) {
  const native = globalThis.BarcodeDetector;
  if (native && (await native.getSupportedFormats()).includes("qr_code")) {
    const detector = new native({ formats: ["qr_code"] });
    return async (canvas) => (await detector.detect(canvas)).map((found) => found.rawValue);
  }
  if (!script) return null;
  await new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement("script"), { src: script, onload: resolve, onerror: reject });
    document.head.append(element);
  });
  const { prepareZXingModule, readBarcodes } = globalThis.ZXingWASM;
  await prepareZXingModule({ overrides: { locateFile: () => wasm }, fireImmediately: true });
  return async (canvas, context) => {
    const image = context.getImageData(0, 0, canvas.width, canvas.height);
    return (await readBarcodes(image, { formats: ["QRCode"], maxNumberOfSymbols: 4 })).filter((found) => found.isValid).map((found) => found.text);
  };
}

export class Camera {
  // `onCode(text)` is called for each code; `ended`, if it is set, when the camera goes away.
  constructor(video, addresses, onCode) {
    Object.assign(this, { video, addresses, onCode, stream: null, seen: new Map(), round: 0 });
  }

  // Starts the camera. Returns "", or why it does not work: "insecure", "no_reader", "denied", "none", "busy".
  async start(facing) {
    this.stop();
    const round = ++this.round;
    if (!navigator.mediaDevices) return "insecure";
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: facing, width: { ideal: 1280 } } });
      if (round !== this.round) return (stream.getTracks().forEach((track) => track.stop()), "");
      this.stream = stream;
      this.video.srcObject = this.stream;
      await this.video.play();
    } catch (error) {
      this.stop();
      return { NotAllowedError: "denied", NotFoundError: "none", OverconstrainedError: "none" }[error.name] ?? "busy";
    }
    try {
      this.read ??= await findReader(this.addresses);
    } catch {
      this.read = null;
    }
    if (!this.read) return (this.stop(), "no_reader");
    // The camera of a tablet may be unplugged or taken by another program.
    this.stream.getVideoTracks()[0].addEventListener("ended", () => this.ended?.());
    this.loop();
    return "";
  }

  stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = this.video.srcObject = null;
    this.round += 1;
  }

  async loop() {
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const round = this.round;
    while (round === this.round) {
      const { videoWidth, videoHeight } = this.video;
      if (videoWidth && document.visibilityState === "visible") {
        const scale = Math.min(1, WIDEST / videoWidth);
        [canvas.width, canvas.height] = [Math.round(videoWidth * scale), Math.round(videoHeight * scale)];
        context.drawImage(this.video, 0, 0, canvas.width, canvas.height);
        for (const text of await this.read(canvas, context).catch(() => [])) this.report(text);
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }

  // A code that stays before the camera is reported once.
  report(text) {
    const now = Date.now();
    for (const [known, at] of this.seen) if (now - at > SAME_CODE_AFTER) this.seen.delete(known);
    const isNew = !this.seen.has(text);
    this.seen.set(text, now);
    if (isNew) this.onCode(text);
  }
}
