"""Who was there: QR codes, check-in, attendance."""
