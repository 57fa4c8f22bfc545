// What the platform itself offers: native code of the browser, in its own process or on its GPU. Works
// in a page and in a worker; not in Node.

/**
 * Blurs with the canvas' filter. Results differ by a few steps from a true Gaussian: Skia blurs with
 * boxes, and pixels outside count as transparent.
 */
export class CanvasBlur {
  /** @param {import("./pixels.js").Size} size */
  constructor({ width, height }) {
    this.source = new OffscreenCanvas(width, height);
    // Without `willReadFrequently` the pixels live with the GPU, and reading them back dominates.
    this.from = context(this.source);
    this.to = context(new OffscreenCanvas(width, height));
  }

  /**
   * @param {ImageData} image
   * @param {number} sigma pixels
   * @returns {ImageData}
   */
  blur(image, sigma) {
    const { width, height } = image;
    this.from.putImageData(image, 0, 0);
    this.to.clearRect(0, 0, width, height);
    this.to.filter = `blur(${sigma}px)`;
    this.to.drawImage(this.source, 0, 0);
    return this.to.getImageData(0, 0, width, height); // Also waits until it is drawn.
  }
}

/** Resizes by drawing, with the best smoothing there is: not bicubic everywhere, and often mipmaps. */
export class CanvasResize {
  /**
   * @param {import("./pixels.js").Size} from
   * @param {import("./pixels.js").Size} to
   */
  constructor(from, to) {
    this.source = new OffscreenCanvas(from.width, from.height);
    this.from = context(this.source);
    this.to = context(new OffscreenCanvas(to.width, to.height));
    this.size = to;
  }

  /**
   * @param {ImageData} image
   * @returns {ImageData}
   */
  resize(image) {
    const { width, height } = this.size;
    this.from.putImageData(image, 0, 0);
    this.to.imageSmoothingEnabled = true;
    this.to.imageSmoothingQuality = "high";
    this.to.globalCompositeOperation = "copy";
    this.to.drawImage(this.source, 0, 0, width, height);
    return this.to.getImageData(0, 0, width, height);
  }
}

/** @param {OffscreenCanvas} canvas */
function context(canvas) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("this browser gives no 2d context of an OffscreenCanvas");
  return context;
}
