"""DICOMweb (PS3.18): store instances, and get them back de-identified."""

from fastapi import APIRouter

from app.api.dicomweb import stow, wado

router = APIRouter(prefix="/dicomweb/{registry_id}", tags=["dicomweb"])
router.include_router(stow.router)
router.include_router(wado.router)
